#include "engine/base/parameters.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/invariant.h"
#include "engine/base/nearest.h"

namespace tokensim {
namespace {

// 1,000,000.
std::string Grouped(int64_t value) {
  std::string digits = absl::StrCat(value);
  const size_t begin = value < 0 ? 1 : 0;
  for (size_t i = digits.size(); i > begin + 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

// 3, 1,000, 1e+06, .inf: as the rest of the messages about specifications shows them.
std::string Number(double value, bool whole = false) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  if (whole && std::abs(value) < 1e15 && value == std::floor(value)) {
    return Grouped(static_cast<int64_t>(value));
  }
  return absl::StrCat(value);
}

std::vector<std::string> Names(std::span<const std::string_view> names) {
  return {names.begin(), names.end()};
}

bool HasLowerBound(const ParameterRange& range) { return std::isfinite(range.above); }
bool HasUpperBound(const ParameterRange& range) {
  return range.max < std::numeric_limits<double>::max();
}

}  // namespace

std::string ProblemOf(const Parameter& p, double value) {
  const ParameterRange& range = p.range;
  if (p.type == ParameterType::kFlag) {
    if (value == 0 || value == 1) return "";
    return absl::StrCat("is ", Number(value), "; allowed are true (1) and false (0)");
  }
  if (p.type == ParameterType::kInteger && value != std::floor(value)) {
    return absl::StrCat("is ", Number(value), "; it must be a whole number");
  }
  const bool whole = p.type == ParameterType::kInteger;
  const bool above = HasLowerBound(range) ? value > range.above : value >= range.min;
  if (above && value <= range.max) return "";
  if (!HasLowerBound(range)) {
    return absl::StrCat("is ", Number(value, whole), "; allowed are ", RangeText(p));
  }
  std::string text =
      absl::StrCat("is ", Number(value, whole), "; it must be above ", Number(range.above, whole));
  if (HasUpperBound(range)) absl::StrAppend(&text, " and at most ", Number(range.max, whole));
  return text;
}

std::string DefaultText(const Parameter& parameter) {
  if (parameter.required) return "";
  if (!parameter.derived.empty()) return std::string(parameter.derived);
  if (parameter.type == ParameterType::kFlag) {
    return parameter.default_value != 0 ? "true" : "false";
  }
  if (parameter.type == ParameterType::kChoice) {
    return std::string(parameter.choices[static_cast<size_t>(parameter.default_value)]);
  }
  if (parameter.type == ParameterType::kReal) return Number(parameter.default_value);
  return absl::StrCat(static_cast<int64_t>(parameter.default_value));
}

std::string RangeText(const Parameter& parameter) {
  if (parameter.type == ParameterType::kFlag) return "true or false";
  if (parameter.type == ParameterType::kChoice) {
    return absl::StrJoin(Names(parameter.choices), " or ");
  }
  const ParameterRange& range = parameter.range;
  const bool whole = parameter.type == ParameterType::kInteger;
  const std::string max = HasUpperBound(range) ? Number(range.max, whole) : "";
  if (!HasLowerBound(range)) {
    return max.empty() ? absl::StrCat(Number(range.min, whole), " or more")
                       : absl::StrCat(Number(range.min, whole), " .. ", max);
  }
  std::string text = absl::StrCat("above ", Number(range.above, whole));
  if (!max.empty()) absl::StrAppend(&text, ", at most ", max);
  return text;
}

ParameterValues::ParameterValues(std::span<const Parameter> table) : table_(table) {
  for (const Parameter& parameter : table) {
    const bool unset = parameter.required || !parameter.derived.empty();
    values_.push_back(unset ? std::numeric_limits<double>::quiet_NaN() : parameter.default_value);
  }
}

size_t ParameterValues::Find(std::string_view name) const {
  for (size_t i = 0; i < table_.size(); ++i) {
    if (table_[i].name == name) return i;
  }
  return kNone;
}

std::string ParameterValues::Unknown(std::string_view name) const {
  if (table_.empty()) return "is not a parameter: there are none";
  std::vector<std::string> names;
  for (const Parameter& parameter : table_) names.emplace_back(parameter.name);
  const std::string suggestion = DidYouMean(name, names);
  if (!suggestion.empty()) return absl::StrCat("is not a parameter", suggestion);
  return absl::StrCat("is not a parameter; there are ", absl::StrJoin(names, ", "));
}

std::string ParameterValues::Set(std::string_view name, double value) {
  const size_t i = Find(name);
  if (i == kNone) return Unknown(name);
  const Parameter& parameter = table_[i];
  if (parameter.type == ParameterType::kChoice) {
    return absl::StrCat("is ", Number(value), "; allowed are ", RangeText(parameter));
  }
  std::string problem = ProblemOf(parameter, value);
  if (problem.empty()) values_[i] = value;
  return problem;
}

std::string ParameterValues::SetChoice(std::string_view name, std::string_view value) {
  const size_t i = Find(name);
  if (i == kNone) return Unknown(name);
  const Parameter& parameter = table_[i];
  for (size_t c = 0; c < parameter.choices.size(); ++c) {
    if (parameter.choices[c] != value) continue;
    values_[i] = static_cast<double>(c);
    return "";
  }
  const std::string suggestion = DidYouMean(value, Names(parameter.choices));
  return absl::StrCat("is ", Quote(value), "; allowed are ", RangeText(parameter), suggestion);
}

void ParameterValues::Derive(std::string_view name, double value) {
  const size_t i = Find(name);
  TOKENSIM_INVARIANT(i != kNone && !table_[i].derived.empty(),
                     "a policy derives a parameter that it does not declare so");
  TOKENSIM_INVARIANT(ProblemOf(table_[i], value).empty(), "a derived value is out of range");
  values_[i] = value;
}

bool ParameterValues::IsSet(std::string_view name) const {
  const size_t i = Find(name);
  return i != kNone && !std::isnan(values_[i]);
}

bool ParameterValues::complete() const {
  for (size_t i = 0; i < table_.size(); ++i) {
    if (table_[i].required && std::isnan(values_[i])) return false;
  }
  return true;
}

double ParameterValues::Get(std::string_view name, ParameterType type) const {
  const size_t i = Find(name);
  TOKENSIM_INVARIANT(i != kNone && table_[i].type == type,
                     "a policy reads a parameter that it does not declare");
  TOKENSIM_INVARIANT(!std::isnan(values_[i]), "a parameter is read that nobody gave");
  return values_[i];
}

bool ParameterValues::flag(std::string_view name) const {
  return Get(name, ParameterType::kFlag) != 0;
}
int64_t ParameterValues::integer(std::string_view name) const {
  return static_cast<int64_t>(Get(name, ParameterType::kInteger));
}
double ParameterValues::real(std::string_view name) const {
  return Get(name, ParameterType::kReal);
}
std::string_view ParameterValues::choice(std::string_view name) const {
  const auto index = static_cast<size_t>(Get(name, ParameterType::kChoice));
  return table_[Find(name)].choices[index];
}
double ParameterValues::number(std::string_view name) const {
  const size_t i = Find(name);
  TOKENSIM_INVARIANT(i != kNone, "a parameter that nobody declares is read");
  return values_[i];
}

}  // namespace tokensim
