#include "server/http/connect_error.h"

#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/escaping.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/base/error.h"

namespace tokensim::http {
namespace {

using json = nlohmann::ordered_json;  // fields as they are written here

struct Code {
  const char* name;
  int http_status;
};

// By number, as in the table of the protocol.
constexpr std::array<Code, 17> kCodes = {{{"ok", 200},
                                          {"canceled", 499},
                                          {"unknown", 500},
                                          {"invalid_argument", 400},
                                          {"deadline_exceeded", 504},
                                          {"not_found", 404},
                                          {"already_exists", 409},
                                          {"permission_denied", 403},
                                          {"resource_exhausted", 429},
                                          {"failed_precondition", 400},
                                          {"aborted", 409},
                                          {"out_of_range", 400},
                                          {"unimplemented", 501},
                                          {"internal", 500},
                                          {"unavailable", 503},
                                          {"data_loss", 500},
                                          {"unauthenticated", 401}}};

const Code& CodeOf(absl::StatusCode code) {
  const auto number = static_cast<size_t>(code);
  return kCodes[number < kCodes.size() ? number : static_cast<size_t>(absl::StatusCode::kUnknown)];
}

// The JSON form of a detail, for people; nullopt for a type that is not linked in.
std::optional<json> DebugForm(const std::string& type, const std::string& bytes) {
  const auto* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(type);
  if (descriptor == nullptr) return std::nullopt;
  const auto* prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor);
  const std::unique_ptr<google::protobuf::Message> message(prototype->New());
  std::string text;
  if (!message->ParseFromString(bytes) ||
      !google::protobuf::util::MessageToJsonString(*message, &text).ok()) {
    return std::nullopt;
  }
  json parsed = json::parse(text, nullptr, false);
  if (parsed.is_discarded()) return std::nullopt;
  return parsed;
}

json DetailJson(const google::protobuf::Any& any) {
  const std::string type = any.type_url().substr(any.type_url().rfind('/') + 1);
  std::string value = absl::Base64Escape(any.value());
  value.erase(value.find_last_not_of('=') + 1);
  json out = {{"type", type}, {"value", value}};
  if (auto debug = DebugForm(type, any.value())) out["debug"] = *std::move(debug);
  return out;
}

json ErrorObject(const absl::Status& error) {
  const google::rpc::Status wire = ToRpcStatus(error);
  json out = {{"code", ConnectCode(error.code())}, {"message", wire.message()}};
  for (const auto& any : wire.details()) out["details"].push_back(DetailJson(any));
  return out;
}

// Bytes that are not UTF-8 are replaced.
std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Whole seconds; nullopt when it is not worth a retry.
std::optional<int64_t> RetryAfter(const absl::Status& error) {
  const google::rpc::Status wire = ToRpcStatus(error);
  for (const auto& any : wire.details()) {
    google::rpc::RetryInfo retry;
    if (!any.UnpackTo(&retry)) continue;
    return retry.retry_delay().seconds() + (retry.retry_delay().nanos() > 0 ? 1 : 0);
  }
  return std::nullopt;
}

}  // namespace

const char* ConnectCode(absl::StatusCode code) { return CodeOf(code).name; }

int HttpStatusOf(absl::StatusCode code) { return CodeOf(code).http_status; }

std::string ErrorJson(const absl::Status& error) { return Dump(ErrorObject(error)); }

std::string EndStreamJson(const absl::Status& status) {
  if (status.ok()) return "{}";
  return Dump({{"error", ErrorObject(status)}});
}

Response ErrorResponse(int http_status, const absl::Status& error) {
  Response out;
  out.status = http_status;
  out.headers = {{"Content-Type", kJsonType}};
  if (const auto seconds = RetryAfter(error)) {
    out.headers.emplace_back("Retry-After", std::to_string(*seconds));
  }
  out.body = ErrorJson(error);
  return out;
}

Response ErrorResponse(const absl::Status& error) {
  return ErrorResponse(HttpStatusOf(error.code()), error);
}

}  // namespace tokensim::http
