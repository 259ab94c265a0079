// HTTP requests and responses as values, free of the HTTP library.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/http/target.h"

namespace tokensim::http {

// In order; names of requests are in lower case.
using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;  // GET
  Target target;
  Headers headers;
  std::string body;

  // The value of the first header of that (lower-case) name; empty when there is none.
  [[nodiscard]] std::string_view Header(std::string_view name) const;
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
};

inline constexpr char kPlainText[] = "text/plain; charset=utf-8";
inline constexpr char kJsonType[] = "application/json";

// An answer of one line of text.
[[nodiscard]] Response TextResponse(int status, std::string_view text);
[[nodiscard]] std::string_view ReasonPhrase(int status);

// How the end of a body is told.
enum class Framing { kLength, kChunked, kUntilClose, kNone };
// Status line and headers, with the blank line. `length`: of the body, for kLength.
[[nodiscard]] std::string HeadOf(const Response& response, Framing framing, size_t length,
                                 bool keep_alive, std::string_view date);
// A chunk of a chunked body; the empty one ends it.
[[nodiscard]] std::string ChunkOf(std::string_view bytes);

// Without letter case, as in header values.
[[nodiscard]] bool EqualsIgnoreCase(std::string_view a, std::string_view b);
// One of the comma-separated elements of a header value; parameters after ';' are left out.
[[nodiscard]] bool ListContains(std::string_view list, std::string_view element);

}  // namespace tokensim::http
