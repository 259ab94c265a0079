#include "engine/io/plan/findings.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "engine/base/nearest.h"
#include "engine/io/yaml/quantity.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {
namespace {

constexpr size_t kMaxFindings = 200;

// Number of the spec's field that a path begins with.
int FieldRank(const std::string& path) {
  const std::string first = path.substr(0, path.find_first_of(".["));
  const auto* field = v1::Spec::descriptor()->FindFieldByName(first);
  return field == nullptr ? 0 : field->number();
}

// 3, 1e-06: numbers in messages.
std::string Shown(double value) { return FormatReal(value, Units::kNone); }

// Whether the message has something at a path as parameters.decay, kernels[0].axes or weights.load.
bool IsSetAt(const google::protobuf::Message& message, std::string_view path) {
  const size_t end = path.find_first_of(".[");
  const auto* field = message.GetDescriptor()->FindFieldByName(std::string(path.substr(0, end)));
  if (field == nullptr) return false;
  const auto& reflection = *message.GetReflection();
  if (field->is_repeated()) return reflection.FieldSize(message, field) > 0;
  if (!reflection.HasField(message, field)) return false;
  if (end == std::string_view::npos || field->message_type() == nullptr) return true;
  return IsSetAt(reflection.GetMessage(message, field), path.substr(end + 1));
}

// workers[3].memory.block_size: group 3, section "memory", rest "block_size".
struct GroupField {
  int group = -1;  // -1: it is of no group
  std::string section;
  std::string rest;
};

GroupField SplitGroupField(const std::string& path) {
  constexpr std::string_view kWorkers = "workers[";
  GroupField field;
  const size_t close = path.find(']');
  if (path.compare(0, kWorkers.size(), kWorkers) != 0 || close == std::string::npos) return field;
  const size_t begin = close + 2;  // behind "]."
  if (begin >= path.size()) return field;
  int group = 0;
  const std::string digits = path.substr(kWorkers.size(), close - kWorkers.size());
  if (!absl::SimpleAtoi(digits, &group)) return field;
  const size_t end = path.find_first_of(".[", begin);
  field.group = group;
  field.section = path.substr(begin, end == std::string::npos ? end : end - begin);
  if (end != std::string::npos) field.rest = path.substr(end + 1);
  return field;
}

}  // namespace

std::string Findings::PlaceOf(const std::string& field) const {
  const GroupField parts = SplitGroupField(field);
  if (given_ == nullptr || parts.group < 0 || parts.group >= given_->workers_size()) return field;
  const v1::WorkerGroup& group = given_->workers(parts.group);
  const auto shared = [&](const auto& own, const auto& spec) {
    return !IsSetAt(own, parts.rest) && IsSetAt(spec, parts.rest);
  };
  const bool of_spec =
      (parts.section == "local_scheduler" &&
       shared(group.local_scheduler(), given_->local_scheduler())) ||
      (parts.section == "memory" && shared(group.memory(), given_->memory())) ||
      // It is replaced as a whole.
      (parts.section == "calibration" && !group.has_calibration() && given_->has_calibration());
  return of_spec ? JoinPath(parts.section, parts.rest) : field;
}

void Findings::Error(std::string field, std::string message, std::string_view reason) {
  ++errors_;
  broken_.insert(field);
  Add(v1::Finding::ERROR, std::move(field), std::move(message), reason);
}

void Findings::Missing(std::string field, std::string message) {
  const size_t dot = field.rfind('.');
  const std::string some = JoinPath(dot == std::string::npos ? "" : field.substr(0, dot), "*");
  const bool unread = std::any_of(unread_.begin(), unread_.end(), [&](const std::string& path) {
    return Within(path, field) || path == some;
  });
  if (!unread) return Error(std::move(field), std::move(message));
  ++errors_;
  broken_.insert(std::move(field));
}

bool Findings::Broken(const std::string& field) const {
  const auto begins = [&](const std::string& prefix) {
    const auto found = broken_.lower_bound(prefix);
    return found != broken_.end() && found->compare(0, prefix.size(), prefix) == 0;
  };
  if (broken_.count(field) > 0 || begins(field + ".") || begins(field + "[")) return true;
  return Unread(field) || std::any_of(unread_.begin(), unread_.end(),
                                      [&](const std::string& path) { return Within(path, field); });
}

bool Findings::BrokenBeside(const std::string& field, const std::string& beside) const {
  const std::string allowed = JoinPath(field, beside);
  for (auto found = broken_.lower_bound(field); found != broken_.end(); ++found) {
    if (found->compare(0, field.size(), field) != 0) break;
    if (Within(*found, field) && !Within(*found, allowed)) return true;
  }
  return std::any_of(unread_.begin(), unread_.end(), [&](const std::string& path) {
    return Within(field, path) || Within(path, field);
  });
}

bool Findings::Unread(const std::string& field) const {
  return std::any_of(unread_.begin(), unread_.end(),
                     [&](const std::string& path) { return Within(field, path); });
}

void Findings::Warning(std::string field, std::string message, std::string_view reason) {
  Add(v1::Finding::WARNING, std::move(field), std::move(message), reason);
}

void Findings::Add(v1::Finding::Severity severity, std::string field, std::string message,
                   std::string_view reason) {
  if (Unread(field)) return;
  field = PlaceOf(field);
  if (!told_.emplace(field, message).second) return;
  if (findings_.size() >= kMaxFindings) {
    ++dropped_;
    return;
  }
  v1::Finding& finding = findings_.emplace_back();
  finding.set_severity(severity);
  finding.set_field(std::move(field));
  finding.set_message(std::move(message));
  finding.set_reason(std::string(reason));
}

std::vector<v1::Finding> Findings::Take() {
  std::stable_sort(findings_.begin(), findings_.end(), [](const auto& a, const auto& b) {
    return FieldRank(a.field()) < FieldRank(b.field());
  });
  if (dropped_ > 0) {
    v1::Finding& finding = findings_.emplace_back();
    finding.set_severity(errors_ > 0 ? v1::Finding::ERROR : v1::Finding::WARNING);
    finding.set_message(absl::StrCat(dropped_, " more findings are not shown"));
    finding.set_reason(kSpecInvalid);
  }
  return std::move(findings_);
}

bool Within(std::string_view inner, std::string_view outer) {
  return outer.empty() || (inner.substr(0, outer.size()) == outer &&
                           (inner.size() == outer.size() || inner[outer.size()] == '.' ||
                            inner[outer.size()] == '['));
}

std::string JoinPath(std::string_view a, std::string_view b) {
  std::string path(a);
  if (!a.empty() && !b.empty()) path += '.';
  return path += b;
}

std::string Grouped(int64_t value) {
  std::string digits = absl::StrCat(value);
  const size_t begin = value < 0 ? 1 : 0;
  for (size_t i = digits.size(); i > begin + 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

std::string Gibibytes(double bytes) {
  return absl::StrFormat("%.2f GiB", bytes / static_cast<double>(int64_t{1} << 30));
}

bool Checker::Range(std::string_view field, int64_t value, int64_t min, int64_t max) const {
  if (value >= min && value <= max) return true;
  Error(field, absl::StrCat("is ", value, "; allowed are ", Grouped(min), " .. ", Grouped(max)));
  return false;
}

bool Checker::Positive(std::string_view field, double value, double max) const {
  if (value > 0 && value <= max) return true;
  Error(field, absl::StrCat("is ", Shown(value), "; it must be above 0 and at most ", Shown(max)));
  return false;
}

bool Checker::NotNegative(std::string_view field, double value, double max) const {
  if (value >= 0 && value <= max) return true;
  Error(field, absl::StrCat("is ", Shown(value), "; allowed are 0 .. ", Shown(max)));
  return false;
}

bool Checker::Required(std::string_view field, bool present, std::string_view what_for) const {
  if (!present) Missing(field, absl::StrCat("is missing: ", std::string(what_for)));
  return present;
}

bool Checker::Length(std::string_view field, const std::string& text, size_t max) const {
  if (text.size() <= max) return true;
  Error(field, absl::StrCat("is ", text.size(), " bytes long; at most ",
                            Grouped(static_cast<int64_t>(max)), " are allowed"));
  return false;
}

void Checker::NotFound(std::string_view field, std::string_view kind, const std::string& name,
                       const std::vector<std::string>& known, std::string_view reason) const {
  std::string suggestion = DidYouMean(name, known, 3);
  if (suggestion.empty()) suggestion = absl::StrCat("; known are ", absl::StrJoin(known, ", "));
  Error(field, absl::StrCat("unknown ", std::string(kind), " ", Quote(name), suggestion), reason);
}

}  // namespace tokensim
