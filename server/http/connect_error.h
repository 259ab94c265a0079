// Errors as the Connect protocol writes them.
//
// Functions without state.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/http/message.h"

namespace tokensim::http {

// "not_found".
[[nodiscard]] const char* ConnectCode(absl::StatusCode code);
// 404: what a unary call is answered with.
[[nodiscard]] int HttpStatusOf(absl::StatusCode code);

// {"code": ..., "message": ..., "details": [{"type", "value", "debug"}]}
[[nodiscard]] std::string ErrorJson(const absl::Status& error);
// The last message of a stream: {} or {"error": ...}.
[[nodiscard]] std::string EndStreamJson(const absl::Status& status);
// The answer of a unary call that failed. With a delay to retry after, Retry-After tells it.
[[nodiscard]] Response ErrorResponse(const absl::Status& error);
// The same with another HTTP status, for what is refused before there is a call.
[[nodiscard]] Response ErrorResponse(int http_status, const absl::Status& error);

}  // namespace tokensim::http
