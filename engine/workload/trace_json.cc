#include <array>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "engine/workload/trace_row.h"
#include "engine/workload/trace_values.h"

namespace tokensim {
namespace {

using nlohmann::json;

// Collects the numbers of chosen keys of one flat object. Works on parser events, so the values of
// other keys, as long lists of block ids, are never built.
class ObjectReader final : public nlohmann::json_sax<json> {
 public:
  struct Wanted {
    const char* key;
    std::optional<TraceNumber> number;
  };

  explicit ObjectReader(std::vector<Wanted> wanted) : wanted_(std::move(wanted)) {}

  absl::Status Read(std::string_view line) {
    json::sax_parse(line.begin(), line.end(), this);
    return status_;
  }
  [[nodiscard]] const std::optional<TraceNumber>& number(size_t i) const {
    return wanted_[i].number;
  }
  [[nodiscard]] const std::vector<std::string>& keys() const { return keys_; }

  bool null() override { return NotANumber("null"); }
  bool boolean(bool) override { return NotANumber("a boolean"); }
  bool string(string_t&) override { return NotANumber("a string"); }
  bool binary(binary_t&) override { return NotANumber("binary"); }
  bool number_integer(number_integer_t value) override { return Number(value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Number(static_cast<double>(value));
    }
    return Number(static_cast<int64_t>(value));
  }
  bool number_float(number_float_t value, const string_t&) override { return Number(value); }

  bool start_object(std::size_t) override {
    if (depth_ > 0 && !NotANumber("an object")) return false;
    return Descend();
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0) return Fail("the row is not a JSON object");
    return NotANumber("a list") && Descend();
  }
  bool end_object() override { return Ascend(); }
  bool end_array() override { return Ascend(); }

  bool key(string_t& name) override {
    if (depth_ > 1) return true;
    current_ = nullptr;
    keys_.push_back(name);
    for (Wanted& wanted : wanted_) {
      if (wanted.key == name) current_ = &wanted;
    }
    if (current_ != nullptr && current_->number.has_value()) {
      return Fail(absl::StrCat(current_->key, " appears twice"));
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // 406: a number too large for a double.
    return Fail(error.id == 406 ? std::string("a number is out of range")
                                : absl::StrCat("not valid JSON at byte ", position));
  }

 private:
  static constexpr int kMaxDepth = 16;

  bool Fail(const std::string& reason) {
    status_ = absl::InvalidArgumentError(reason);
    return false;
  }
  bool NotANumber(const char* what) {
    if (depth_ == 0) return Fail("the row is not a JSON object");
    if (depth_ > 1 || current_ == nullptr) return true;
    return Fail(absl::StrCat(current_->key, " is not a number but ", what));
  }
  bool Number(TraceNumber number) {
    if (depth_ == 0) return Fail("the row is not a JSON object");
    if (depth_ == 1 && current_ != nullptr) current_->number = number;
    return true;
  }
  bool Descend() {
    if (++depth_ > kMaxDepth) return Fail("nested too deeply");
    return true;
  }
  bool Ascend() {
    --depth_;
    return true;
  }

  std::vector<Wanted> wanted_;
  Wanted* current_ = nullptr;
  std::vector<std::string> keys_;  // of the object itself
  int depth_ = 0;
  absl::Status status_;
};

}  // namespace

absl::Status ParseJsonRow(const TraceLayout& layout, std::string_view line, TraceRow* row) {
  ObjectReader reader({{layout.time_key, {}}, {layout.input_key, {}}, {layout.output_key, {}}});
  if (auto status = reader.Read(line); !status.ok()) return status;
  const auto missing = [](const char* key) {
    return absl::InvalidArgumentError(absl::StrCat("no key ", key));
  };
  row->time.reset();
  if (reader.number(0).has_value()) {
    auto time = ToTime(layout.time_key, *reader.number(0), layout.time_kind);
    if (!time.ok()) return time.status();
    row->time = *time;
  } else if (layout.time_required) {
    return missing(layout.time_key);
  }
  if (!reader.number(1).has_value()) return missing(layout.input_key);
  if (!reader.number(2).has_value()) return missing(layout.output_key);
  auto input = ToLength(layout.input_key, *reader.number(1), 1);
  if (!input.ok()) return input.status();
  auto output =
      ToLength(layout.output_key, *reader.number(2), layout.zero_output_is_failure ? 0 : 1);
  if (!output.ok()) return output.status();
  row->input_tokens = *input;
  row->output_tokens = *output;
  return absl::OkStatus();
}

absl::StatusOr<const TraceLayout*> DetectJsonLayout(std::string_view line) {
  ObjectReader reader({});
  if (auto status = reader.Read(line); !status.ok()) return status;
  for (const TraceLayout& layout : TraceLayouts()) {
    if (!layout.json) continue;
    for (const std::string& key : reader.keys()) {
      if (key == layout.input_key) return &layout;
    }
  }
  return absl::InvalidArgumentError(
      "unknown format: no key input_tokens (jsonl) or input_length (mooncake_jsonl)");
}

}  // namespace tokensim
