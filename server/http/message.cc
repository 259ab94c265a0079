#include "server/http/message.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

#include "absl/strings/ascii.h"

namespace tokensim::http {

std::string_view Request::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

Response TextResponse(int status, std::string_view text) {
  Response out;
  out.status = status;
  out.headers = {{"Content-Type", kPlainText}};
  out.body = std::string(text) + "\n";
  return out;
}

std::string_view ReasonPhrase(int status) {
  struct Phrase {
    int status;
    std::string_view text;
  };
  static constexpr std::array<Phrase, 25> kPhrases = {{
      {200, "OK"},
      {204, "No Content"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {499, "Client Closed Request"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
      {507, "Insufficient Storage"},
  }};
  for (const Phrase& phrase : kPhrases) {
    if (phrase.status == status) return phrase.text;
  }
  return "Unknown";
}

std::string HeadOf(const Response& response, Framing framing, size_t length, bool keep_alive,
                   std::string_view date) {
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + ' ';
  out += ReasonPhrase(response.status);
  const auto add = [&out](std::string_view name, std::string_view value) {
    out += "\r\n";
    out += name;
    out += ": ";
    out += value;
  };
  add("Date", date);
  for (const auto& [name, value] : response.headers) add(name, value);
  add("X-Content-Type-Options", "nosniff");
  if (framing == Framing::kLength) add("Content-Length", std::to_string(length));
  if (framing == Framing::kChunked) out += "\r\nTransfer-Encoding: chunked";
  add("Connection", keep_alive ? "keep-alive" : "close");
  out += "\r\n\r\n";
  return out;
}

std::string ChunkOf(std::string_view bytes) {
  std::array<char, 24> size{};
  const int digits = std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
  std::string out;
  out.reserve(bytes.size() + 24);
  out.append(size.data(), static_cast<size_t>(digits));
  out += bytes;
  out += "\r\n";
  return out;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return absl::ascii_tolower(static_cast<unsigned char>(x)) ==
           absl::ascii_tolower(static_cast<unsigned char>(y));
  });
}

bool ListContains(std::string_view list, std::string_view element) {
  while (!list.empty()) {
    std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(item.size() + 1, list.size()));
    item = item.substr(0, item.find(';'));
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (EqualsIgnoreCase(item, element)) return true;
  }
  return false;
}

}  // namespace tokensim::http
