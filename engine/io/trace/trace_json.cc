#include <array>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "engine/io/trace/trace_row.h"
#include "engine/io/trace/trace_values.h"

namespace tokensim {
namespace {

using nlohmann::json;

// What a key holds.
enum class Kind { kNumber, kLabel, kIntegers };

// Collects the values of chosen keys of one object. Works on parser events, so the values of other
// keys are never built.
class ObjectReader final : public nlohmann::json_sax<json> {
 public:
  struct Wanted {
    const char* key;
    Kind kind = Kind::kNumber;
    bool found = false;
    std::optional<TraceNumber> number;
    std::string label;  // an integer as its digits; null is no label
    std::vector<int64_t> integers;
  };

  explicit ObjectReader(std::vector<Wanted> wanted) : wanted_(std::move(wanted)) {}

  absl::Status Read(std::string_view line) {
    json::sax_parse(line.begin(), line.end(), this);
    return status_;
  }
  [[nodiscard]] const std::optional<TraceNumber>& number(size_t i) const {
    return wanted_[i].number;
  }
  [[nodiscard]] Wanted& wanted(size_t i) { return wanted_[i]; }
  [[nodiscard]] const std::vector<std::string>& keys() const { return keys_; }

  bool null() override {
    const bool nothing = depth_ == 1 && current_ != nullptr && current_->kind != Kind::kNumber;
    return nothing || Unexpected("null");
  }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool string(string_t& text) override {
    if (depth_ != 1 || current_ == nullptr || current_->kind != Kind::kLabel) {
      return Unexpected("a string");
    }
    current_->label = text;
    return true;
  }
  bool binary(binary_t&) override { return Unexpected("binary"); }
  bool number_integer(number_integer_t value) override { return Number(value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Number(static_cast<double>(value));
    }
    return Number(static_cast<int64_t>(value));
  }
  bool number_float(number_float_t value, const string_t&) override { return Number(value); }

  bool start_object(std::size_t) override {
    if (depth_ > 0 && !Unexpected("an object")) return false;
    return Descend();
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0) return Fail("the row is not a JSON object");
    const bool list = depth_ == 1 && current_ != nullptr && current_->kind == Kind::kIntegers;
    return (list || Unexpected("a list")) && Descend();
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
    if (current_ == nullptr) return true;
    if (current_->found) return Fail(absl::StrCat(current_->key, " appears twice"));
    current_->found = true;
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
  // A value of another kind than that of its key.
  bool Unexpected(const char* what) {
    if (depth_ == 0) return Fail("the row is not a JSON object");
    if (current_ == nullptr) return true;
    switch (current_->kind) {
      case Kind::kNumber:
        if (depth_ > 1) return true;
        return Fail(absl::StrCat(current_->key, " is not a number but ", what));
      case Kind::kLabel:
        if (depth_ > 1) return true;
        return Fail(absl::StrCat(current_->key, " is not a string or an integer but ", what));
      case Kind::kIntegers:
        return Fail(absl::StrCat(current_->key, " is not a list of integers: it has ", what));
    }
    return true;
  }
  bool Number(TraceNumber number) {
    if (depth_ == 0) return Fail("the row is not a JSON object");
    if (current_ == nullptr) return true;
    const auto* integer = std::get_if<int64_t>(&number);
    switch (current_->kind) {
      case Kind::kNumber:
        if (depth_ == 1) current_->number = number;
        return true;
      case Kind::kLabel:
        if (depth_ > 1) return true;
        if (integer == nullptr) return Unexpected("a fraction or too large");
        current_->label = absl::StrCat(*integer);
        return true;
      case Kind::kIntegers:
        if (depth_ == 1) return Unexpected("no brackets");
        if (integer == nullptr) return Unexpected("a number that is no integer below 2^63");
        current_->integers.push_back(*integer);
        return true;
    }
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

// An id for each block of the prompt, or for fewer.
absl::Status CheckHashIds(const TraceFormat& format, const TraceRow& row) {
  const int64_t blocks = (int64_t{row.input_tokens} + kHashBlockTokens - 1) / kHashBlockTokens;
  if (static_cast<int64_t>(row.hash_ids.size()) <= blocks) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(kHashIdsKey, " has ", row.hash_ids.size(), " entries; ", format.input_key, " ",
                   row.input_tokens, " has ", blocks, " blocks of ", kHashBlockTokens, " tokens"));
}

// Wanted 4 is conversation, 5 session.
absl::Status TakeConversation(ObjectReader* reader, TraceRow* row) {
  if (reader->wanted(4).found && reader->wanted(5).found) {
    return absl::InvalidArgumentError("conversation and session mean the same; give one");
  }
  row->conversation = std::move(reader->wanted(reader->wanted(4).found ? 4 : 5).label);
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseJsonRow(const TraceFormat& format, std::string_view line, TraceRow* row) {
  std::vector<ObjectReader::Wanted> wanted = {
      {format.time_key}, {format.input_key}, {format.output_key}};
  if (format.hash_ids) wanted.push_back({kHashIdsKey, Kind::kIntegers});
  if (format.conversations) {
    wanted.push_back({kConversationKey, Kind::kLabel});
    wanted.push_back({kSessionKey, Kind::kLabel});
  }
  ObjectReader reader(std::move(wanted));
  if (auto status = reader.Read(line); !status.ok()) return status;
  const auto missing = [](const char* key) {
    return absl::InvalidArgumentError(absl::StrCat("no key ", key));
  };
  row->time.reset();
  if (reader.number(0).has_value()) {
    auto time = ToTime(format.time_key, *reader.number(0), format.time_kind);
    if (!time.ok()) return time.status();
    row->time = *time;
  } else if (format.time_required) {
    return missing(format.time_key);
  }
  if (!reader.number(1).has_value()) return missing(format.input_key);
  if (!reader.number(2).has_value()) return missing(format.output_key);
  auto input = ToLength(format.input_key, *reader.number(1), 1);
  if (!input.ok()) return input.status();
  auto output =
      ToLength(format.output_key, *reader.number(2), format.zero_output_is_failure ? 0 : 1);
  if (!output.ok()) return output.status();
  row->input_tokens = *input;
  row->output_tokens = *output;
  if (format.hash_ids) row->hash_ids = std::move(reader.wanted(3).integers);
  if (auto status = CheckHashIds(format, *row); !status.ok()) return status;
  if (format.conversations) return TakeConversation(&reader, row);
  return absl::OkStatus();
}

absl::StatusOr<const TraceFormat*> DetectJsonFormat(std::string_view line) {
  ObjectReader reader({});
  if (auto status = reader.Read(line); !status.ok()) return status;
  for (const TraceFormat& format : TraceFormats()) {
    if (!format.json || format.parse != nullptr) continue;
    for (const std::string& key : reader.keys()) {
      if (key == format.input_key) return &format;
    }
  }
  std::string keys;
  for (const TraceFormat& format : TraceFormats()) {
    if (!format.json || format.parse != nullptr) continue;
    absl::StrAppend(&keys, keys.empty() ? "" : " or ", format.input_key, " (",
                    std::string(format.name), ")");
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown format: no key ", keys));
}

}  // namespace tokensim
