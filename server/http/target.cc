#include "server/http/target.h"

#include <algorithm>
#include <cstdint>

namespace tokensim::http {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsPlain(std::string_view segment) {
  if (segment == "." || segment == ".." || !IsUtf8(segment)) return false;
  for (const char c : segment) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || c == '\\' || c == '/') return false;
  }
  return true;
}

absl::StatusOr<std::string> ParsePath(std::string_view path) {
  const absl::Status bad = absl::InvalidArgumentError("the path is not plain");
  if (path.empty() || path.front() != '/') return bad;
  std::string out;
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const auto segment = PercentDecode(path.substr(begin, end - begin));
    const bool last = end == path.size();
    if (!segment || !IsPlain(*segment) || (segment->empty() && !last)) return bad;
    out += '/';
    out += *segment;
    begin = end + 1;
    if (last) break;
  }
  return out;
}

// In a query, "+" is a space.
std::optional<std::string> DecodeParameter(std::string_view text) {
  std::string spaced(text);
  for (char& c : spaced) {
    if (c == '+') c = ' ';
  }
  return PercentDecode(spaced);
}

}  // namespace

const std::string* Target::Query(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexDigit(text[i + 1]);
    const int low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    if (lead < 0x80) continue;
    const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (lead < 0xC2 || lead > 0xF4) return false;
    uint32_t code = lead & (0x3F >> more);
    for (int k = 0; k < more; ++k, ++i) {
      if (i == text.size() || (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return false;
      code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3F);
    }
    const bool overlong = (more == 2 && code < 0x800) || (more == 3 && code < 0x10000);
    if (overlong || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
  }
  return true;
}

absl::StatusOr<Target> ParseTarget(std::string_view target) {
  const size_t question = std::min(target.find('?'), target.size());
  absl::StatusOr<std::string> path = ParsePath(target.substr(0, question));
  if (!path.ok()) return path.status();
  Target out;
  out.path = *std::move(path);
  std::string_view rest = target.substr(std::min(question + 1, target.size()));
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    auto key = DecodeParameter(pair.substr(0, equals));
    auto value = DecodeParameter(pair.substr(std::min(equals + 1, pair.size())));
    if (!key || !value || !IsUtf8(*key) || !IsUtf8(*value)) {
      return absl::InvalidArgumentError("the query is not percent-encoded UTF-8");
    }
    out.query.emplace_back(*std::move(key), *std::move(value));
  }
  return out;
}

}  // namespace tokensim::http
