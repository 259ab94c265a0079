#include "server/store/list_filter.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "server/base/error.h"

namespace tokensim {
namespace {

constexpr size_t kMaxFilterBytes = 4096;
constexpr std::string_view kLabels = "labels.";

absl::Status Bad(const std::string& what) { return InvalidField("filter", what); }

// Splits a filter into words, "=" and quoted strings.
class Lexer {
 public:
  struct Token {
    enum Kind { kWord, kEquals, kEnd, kBad } kind = kEnd;
    std::string text;
    bool quoted = false;
  };

  explicit Lexer(std::string_view text) : text_(text) {}

  Token Next() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    if (at_ == text_.size()) return {};
    if (text_[at_] == '=') {
      ++at_;
      return {Token::kEquals, "=", false};
    }
    return text_[at_] == '"' ? Quoted() : Word();
  }

 private:
  Token Quoted() {
    Token token{Token::kWord, "", true};
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return token;
      }
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      token.text += text_[at_];
    }
    return {Token::kBad, "unclosed quote", false};
  }

  Token Word() {
    Token token{Token::kWord, "", false};
    const auto is_word = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' ||
             c == '/';
    };
    while (at_ < text_.size() && is_word(text_[at_])) token.text += text_[at_++];
    if (token.text.empty()) return {Token::kBad, "unexpected " + Character(), false};
    return token;
  }

  // The UTF-8 character here, whole.
  [[nodiscard]] std::string Character() const {
    size_t end = at_ + 1;
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80) ++end;
    return std::string(text_.substr(at_, end - at_));
  }

  std::string_view text_;
  size_t at_ = 0;
};

absl::StatusOr<RecordFilter> MakeCondition(const std::string& field, const std::string& value) {
  if (field == "state") {
    SimulationState state = v1::Simulation::STATE_UNSPECIFIED;
    if (!v1::Simulation::State_Parse(value, &state)) return Bad("unknown state " + value);
    return RecordFilter([state](const SimulationRecord& r) { return r.state == state; });
  }
  if (field == "spec.name") {
    return RecordFilter([value](const SimulationRecord& r) { return r.spec_name == value; });
  }
  if (field.starts_with(kLabels) && field.size() > kLabels.size()) {
    return RecordFilter([key = field.substr(kLabels.size()), value](const SimulationRecord& r) {
      const auto label = r.labels.find(key);
      return label != r.labels.end() && label->second == value;
    });
  }
  return Bad("unknown field " + field + "; known: state, spec.name, labels.KEY");
}

uint64_t Fnv1a(std::string_view text, uint64_t hash) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

std::string Hex(uint64_t value) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out(16, '0');
  for (size_t i = 16; i-- > 0; value >>= 4) out[i] = kDigits[value & 15];
  return out;
}

std::optional<uint64_t> ParseHex(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

uint64_t QueryHash(std::string_view query) { return Fnv1a(query, 0xcbf29ce484222325ULL); }
uint64_t CheckHash(uint64_t masked, std::string_view query) {
  return Fnv1a(query, Fnv1a(Hex(masked), 0x84222325cbf29ce4ULL));
}

}  // namespace

absl::StatusOr<RecordFilter> ParseListFilter(std::string_view text) {
  if (text.size() > kMaxFilterBytes) return Bad("longer than 4,096 bytes");
  using Token = Lexer::Token;
  Lexer lexer(text);
  std::vector<RecordFilter> conditions;
  Token token = lexer.Next();
  while (token.kind != Token::kEnd) {
    const Token field = token;
    const Token equals = lexer.Next();
    const Token value = lexer.Next();
    for (const Token* each : {&field, &equals, &value}) {
      if (each->kind == Token::kBad) return Bad(each->text);
    }
    if (field.kind != Token::kWord || field.quoted || equals.kind != Token::kEquals ||
        value.kind != Token::kWord) {
      return Bad("expected conditions as `field = value` joined by AND");
    }
    auto condition = MakeCondition(field.text, value.text);
    if (!condition.ok()) return condition.status();
    conditions.push_back(*std::move(condition));
    token = lexer.Next();
    if (token.kind == Token::kEnd) break;
    if (token.kind != Token::kWord || token.quoted || token.text != "AND") {
      return Bad("expected AND between conditions");
    }
    token = lexer.Next();
    if (token.kind == Token::kEnd) return Bad("expected a condition after AND");
  }
  if (conditions.empty()) return RecordFilter();
  return RecordFilter([conditions = std::move(conditions)](const SimulationRecord& record) {
    return std::all_of(conditions.begin(), conditions.end(),
                       [&](const RecordFilter& passes) { return passes(record); });
  });
}

std::string MakePageToken(int64_t order, std::string_view query) {
  const uint64_t masked = static_cast<uint64_t>(order) ^ QueryHash(query);
  return Hex(masked) + Hex(CheckHash(masked, query));
}

absl::StatusOr<int64_t> ParsePageToken(std::string_view token, std::string_view query) {
  if (token.size() == 32) {
    const auto masked = ParseHex(token.substr(0, 16));
    const auto check = ParseHex(token.substr(16));
    if (masked && check && *check == CheckHash(*masked, query)) {
      return static_cast<int64_t>(*masked ^ QueryHash(query));
    }
  }
  return InvalidField("page_token",
                      "is not a token of this query; parent and filter must stay the same");
}

}  // namespace tokensim
