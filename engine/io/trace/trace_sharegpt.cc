#include "engine/io/trace/trace_sharegpt.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/trace/trace_values.h"

namespace tokensim {
namespace {

using nlohmann::json;

enum class Side { kPrompt, kAnswer };

std::optional<Side> SideOf(std::string_view from) {
  constexpr std::string_view kPrompts[] = {"human", "user", "system", "tool"};
  constexpr std::string_view kAnswers[] = {"gpt", "assistant", "chatgpt", "bing", "bard", "claude"};
  const auto is = [from](std::string_view name) { return name == from; };
  if (std::any_of(std::begin(kPrompts), std::end(kPrompts), is)) return Side::kPrompt;
  if (std::any_of(std::begin(kAnswers), std::end(kAnswers), is)) return Side::kAnswer;
  return std::nullopt;
}

// Characters of the file for the parser; counts the lines passed.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, int64_t* line) : at_(at), line_(line) {}

  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *line_ += *at_ == '\n' ? 1 : 0;
    ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  int64_t* line_;
};

// Turns messages into rows of the table.
class TurnBuilder {
 public:
  explicit TurnBuilder(TraceSlice slice) : slice_(slice) {}

  void BeginConversation() {
    input_ = 0;
    output_ = 0;
    leading_ = false;
  }
  absl::Status Add(Side side, int64_t tokens) {
    tokens = std::max<int64_t>(1, tokens);
    if (side == Side::kAnswer && input_ > 0 && !leading_) {
      output_ += tokens;
    } else {
      if (output_ > 0) Flush();
      input_ += tokens;
      leading_ = side == Side::kAnswer;
    }
    if (std::max(input_, output_) <= std::numeric_limits<int32_t>::max()) return absl::OkStatus();
    return absl::InvalidArgumentError("a turn has more than 2147483647 tokens");
  }
  // Whether any more are wanted.
  bool EndConversation() {
    if (output_ > 0) Flush();
    if (rows_ > 0) ++conversations_;
    rows_ = 0;
    return ++index_ - slice_.offset < slice_.limit;
  }
  [[nodiscard]] int64_t index() const { return index_; }
  [[nodiscard]] int64_t size() const { return table_.size(); }
  TraceTable Take() { return std::move(table_); }

 private:
  void Flush() {
    if (index_ >= slice_.offset && index_ - slice_.offset < slice_.limit) {
      table_.input_tokens.push_back(static_cast<int32_t>(input_));
      table_.output_tokens.push_back(static_cast<int32_t>(output_));
      table_.conversation.push_back(conversations_);
      ++rows_;
    }
    input_ = 0;
    output_ = 0;
  }

  TraceSlice slice_;
  TraceTable table_;
  int64_t index_ = 0;          // of the conversation in the file
  int64_t conversations_ = 0;  // kept so far
  int64_t rows_ = 0;           // of this one
  int64_t input_ = 0;          // of the turn begun
  int64_t output_ = 0;
  bool leading_ = false;  // the input ends with an answer to nothing
};

// Parser events. Level 1 is the list, 2 a conversation, 3 its messages, 4 a message.
class ShareGptReader final : public nlohmann::json_sax<json> {
 public:
  ShareGptReader(TraceSlice slice, const int64_t* line) : turns_(slice), line_(line) {}

  [[nodiscard]] const absl::Status& status() const { return status_; }
  [[nodiscard]] int64_t error_line() const { return error_line_; }
  TurnBuilder& turns() { return turns_; }

  bool null() override { return Value("null"); }
  bool boolean(bool) override { return Value("a boolean"); }
  bool binary(binary_t&) override { return Value("binary"); }
  bool number_integer(number_integer_t value) override { return Number(value); }
  bool number_unsigned(number_unsigned_t value) override {
    constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    return Number(static_cast<int64_t>(std::min<uint64_t>(value, kMost)));
  }
  bool number_float(number_float_t, const string_t&) override { return Value("a fraction"); }
  bool string(string_t& text) override {
    if (!InMessage()) return Value("a string");
    if (key_ == "from") from_ = text;
    if (key_ == "value") estimate_ = EstimateTokens(text);
    return key_ == "tokens" ? Value("a string") : true;
  }

  bool start_object(std::size_t) override {
    if (depth_ == 1) {
      has_messages_ = false;
      turns_.BeginConversation();
    } else if (depth_ == 3 && in_messages_) {
      from_.reset();
      estimate_.reset();
      tokens_.reset();
    } else if (!Value("an object")) {
      return false;
    }
    start_line_ = depth_ <= 3 ? *line_ : start_line_;
    return Descend();
  }
  bool end_object() override {
    --depth_;
    if (depth_ == 3 && in_messages_) return EndMessage();
    if (depth_ != 1) return true;
    if (!has_messages_) return Fail("a conversation has no key conversations");
    return turns_.EndConversation() ? true : Stop();
  }
  bool start_array(std::size_t) override {
    if (depth_ == 2 && key_ == "conversations") {
      if (has_messages_) return Fail("conversations appears twice");
      in_messages_ = has_messages_ = true;
    } else if (depth_ > 0 && !Value("a list")) {
      return false;
    }
    return Descend();
  }
  bool end_array() override {
    if (--depth_ == 2) in_messages_ = false;
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ == 2 || InMessage()) key_ = name;
    return true;
  }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    start_line_ = *line_;
    return Fail(error.id == 406 ? "a number is out of range" : "not valid JSON");
  }

 private:
  static constexpr int kMaxDepth = 16;

  [[nodiscard]] bool InMessage() const { return depth_ == 4 && in_messages_; }
  bool Fail(const std::string& reason) {
    status_ = absl::InvalidArgumentError(reason);
    error_line_ = start_line_;
    return false;
  }
  // Enough has been read; what follows is not looked at.
  static bool Stop() { return false; }
  bool Descend() {
    if (++depth_ > kMaxDepth) return Fail("nested too deeply");
    return true;
  }
  // A value that is neither an object nor a list where one is expected, or of the wrong kind.
  bool Value(const char* what) {
    if (depth_ == 0) return Fail(absl::StrCat("the file is not a JSON list but ", what));
    if (depth_ == 1) return Fail(absl::StrCat("a conversation is not an object but ", what));
    if (depth_ == 2 && key_ == "conversations") {
      return Fail(absl::StrCat("conversations is not a list but ", what));
    }
    if (depth_ == 3 && in_messages_) {
      return Fail(absl::StrCat("a message is not an object but ", what));
    }
    if (!InMessage() || (key_ != "from" && key_ != "value" && key_ != "tokens")) return true;
    return Fail(absl::StrCat(
        key_, key_ == "tokens" ? " is not an integer but " : " is not a string but ", what));
  }
  bool Number(int64_t value) {
    if (!InMessage() || key_ != "tokens") return Value("a number");
    auto tokens = ToLength("tokens", TraceNumber(value), 0);
    if (!tokens.ok()) return Fail(std::string(tokens.status().message()));
    tokens_ = *tokens;
    return true;
  }
  bool EndMessage() {
    if (!from_) return Fail("a message has no key from");
    const auto side = SideOf(*from_);
    if (!side) {
      return Fail(absl::StrCat(
          "from is ", Quoted(*from_),
          "; known are human, user, system, tool, gpt, assistant, chatgpt, bing, bard, claude"));
    }
    if (!tokens_ && !estimate_) return Fail("a message has neither tokens nor value");
    const auto status = turns_.Add(*side, tokens_.value_or(estimate_.value_or(0)));
    return status.ok() ? true : Fail(std::string(status.message()));
  }

  TurnBuilder turns_;
  const int64_t* line_;     // that the parser is in
  int64_t start_line_ = 1;  // of the conversation or message
  int64_t error_line_ = 0;
  absl::Status status_;
  int depth_ = 0;
  std::string key_;  // of a conversation or message
  bool in_messages_ = false;
  bool has_messages_ = false;
  std::optional<std::string> from_;
  std::optional<int64_t> estimate_;
  std::optional<int64_t> tokens_;
};

}  // namespace

int64_t EstimateTokens(std::string_view text) {
  int64_t ascii = 0;
  int64_t words = 0;
  int64_t others = 0;  // characters beyond ASCII
  bool in_word = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_ascii = byte < 0x80;
    const bool blank = byte == ' ' || (byte >= '\t' && byte <= '\r');
    ascii += is_ascii ? 1 : 0;
    others += byte >= 0xC0 ? 1 : 0;  // the first byte of a character
    words += is_ascii && !blank && !in_word ? 1 : 0;
    in_word = is_ascii && !blank;
  }
  const double english =
      0.5 * (static_cast<double>(ascii) / 4 + static_cast<double>(words) * 4 / 3);
  return static_cast<int64_t>(std::ceil(english)) + others;
}

absl::StatusOr<TraceTable> ParseShareGpt(std::string_view contents, const std::string& name,
                                         TraceSlice slice) {
  int64_t line = 1;
  ShareGptReader reader(slice, &line);
  json::sax_parse(CountingIterator(contents.data(), &line),
                  CountingIterator(contents.data() + contents.size(), &line), &reader);
  if (!reader.status().ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ":", reader.error_line(), ": ", std::string(reader.status().message())));
  }
  if (reader.turns().size() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": no requests: ", reader.turns().index(),
                                                   " conversations read, offset ", slice.offset));
  }
  return reader.turns().Take();
}

}  // namespace tokensim
