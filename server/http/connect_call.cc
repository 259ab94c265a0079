#include "server/http/connect_call.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "server/api/call.h"
#include "server/base/error.h"
#include "server/http/connect_error.h"
#include "server/http/envelope.h"

namespace tokensim::http {
namespace {

absl::Status Invalid(std::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason::kRequestInvalid, what);
}

absl::Status CheckVersion(std::string_view version, std::string_view expected) {
  if (version.empty() || version == expected) return absl::OkStatus();
  return Invalid("the version of the Connect protocol must be " + std::string(expected));
}

absl::Status CheckEncoding(std::string_view encoding) {
  if (encoding.empty() || EqualsIgnoreCase(encoding, "identity")) return absl::OkStatus();
  return MakeError(absl::StatusCode::kUnimplemented, reason::kRequestInvalid,
                   "compression is not supported: the encoding must be identity");
}

absl::Status ReadTimeout(const Request& request, ConnectCall* call) {
  const std::string_view text = request.Header("connect-timeout-ms");
  if (text.empty()) return absl::OkStatus();
  constexpr size_t kMaxDigits = 10;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() > kMaxDigits || !std::all_of(text.begin(), text.end(), is_digit)) {
    return Invalid("Connect-Timeout-Ms: must be 1 to 10 digits");
  }
  int64_t milliseconds = 0;
  for (const char c : text) milliseconds = milliseconds * 10 + (c - '0');
  call->timeout = std::chrono::milliseconds(milliseconds);
  return absl::OkStatus();
}

}  // namespace

absl::Status ConnectCall::Wanted() const {
  if (exchange->gone()) return CallCancelled();
  if (timeout && std::chrono::steady_clock::now() - begun > *timeout) return DeadlinePassed();
  return absl::OkStatus();
}

void ConnectCall::Refuse(const absl::Status& error) const {
  if (!type.stream) return exchange->Answer(ErrorResponse(error));
  Response response;
  response.headers = {{"Content-Type", ContentTypeOf(type)}};
  response.body = MakeEnvelope(kEndStreamFlag, EndStreamJson(error));
  exchange->Answer(std::move(response));
}

absl::Status ReadPost(ConnectCall* call) {
  const Request& request = call->exchange->request();
  absl::Status bad = CheckVersion(request.Header("connect-protocol-version"), "1");
  const char* encoding = call->type.stream ? "connect-content-encoding" : "content-encoding";
  if (bad.ok()) bad = CheckEncoding(request.Header(encoding));
  if (bad.ok()) bad = ReadTimeout(request, call);
  if (!bad.ok()) return bad;
  call->message = request.body;
  if (!call->type.stream) return absl::OkStatus();
  const absl::StatusOr<std::string_view> payload = OpenOnlyEnvelope(request.body);
  if (!payload.ok()) return payload.status();
  call->message = *payload;
  return absl::OkStatus();
}

absl::Status ReadGet(ConnectCall* call) {
  const Request& request = call->exchange->request();
  const auto query = [&request](std::string_view name) {
    const std::string* value = request.target.Query(name);
    return value == nullptr ? std::string() : *value;
  };
  absl::Status bad = CheckVersion(query("connect"), "v1");
  if (bad.ok()) bad = CheckEncoding(query("compression"));
  if (bad.ok()) bad = ReadTimeout(request, call);
  if (!bad.ok()) return bad;
  const std::string encoding = query("encoding");
  if (encoding != "json" && encoding != "proto") return Invalid("encoding: must be json or proto");
  call->type = {encoding == "json" ? Codec::kJson : Codec::kProto, false};
  if (request.target.Query("message") == nullptr) return Invalid("message: is required");
  call->decoded = query("message");
  if (query("base64") == "1") {
    std::string bytes;
    if (!absl::WebSafeBase64Unescape(call->decoded, &bytes)) {
      return Invalid("message: is not URL-safe base64");
    }
    call->decoded = std::move(bytes);
  }
  call->message = call->decoded;
  return absl::OkStatus();
}

}  // namespace tokensim::http
