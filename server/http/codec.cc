#include "server/http/codec.h"

#include "google/protobuf/util/json_util.h"
#include "server/base/error.h"
#include "server/http/message.h"

namespace tokensim::http {
namespace {

// Only what is said of UTF-8, the one character set of JSON, or nothing.
bool IsUtf8Charset(std::string_view parameters) {
  const size_t begin = parameters.find_first_not_of(" \t;");
  if (begin == std::string_view::npos) return true;
  parameters.remove_prefix(begin);
  parameters = parameters.substr(0, parameters.find_last_not_of(" \t") + 1);
  return EqualsIgnoreCase(parameters, "charset=utf-8") ||
         EqualsIgnoreCase(parameters, "charset=\"utf-8\"");
}

}  // namespace

std::optional<BodyType> ParseContentType(std::string_view value) {
  const size_t semicolon = std::min(value.find(';'), value.size());
  std::string_view type = value.substr(0, semicolon);
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  if (!IsUtf8Charset(value.substr(semicolon))) return std::nullopt;
  for (const Codec codec : {Codec::kJson, Codec::kProto}) {
    for (const bool stream : {false, true}) {
      if (EqualsIgnoreCase(type, ContentTypeOf({codec, stream}))) return BodyType{codec, stream};
    }
  }
  return std::nullopt;
}

const char* ContentTypeOf(BodyType type) {
  if (type.stream) {
    return type.codec == Codec::kJson ? "application/connect+json" : "application/connect+proto";
  }
  return type.codec == Codec::kJson ? kJsonType : "application/proto";
}

absl::Status Decode(Codec codec, std::string_view bytes, google::protobuf::Message* message) {
  const std::string& type = message->GetDescriptor()->name();
  if (codec == Codec::kProto) {
    if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return absl::OkStatus();
    }
    return MakeError(absl::StatusCode::kInvalidArgument, reason::kRequestInvalid,
                     "the body is not a " + type + " in protobuf's binary form");
  }
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(bytes.data(), bytes.size()), message);
  if (status.ok()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument, reason::kRequestInvalid,
                   "the body is not a " + type + " in JSON: " + std::string(status.message()));
}

absl::Status Encode(Codec codec, const google::protobuf::Message& message, std::string* out) {
  if (codec == Codec::kProto) {
    message.AppendToString(out);
    return absl::OkStatus();
  }
  // Appends, too.
  const auto status = google::protobuf::util::MessageToJsonString(message, out);
  if (status.ok()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInternal, reason::kInternal,
                   "the answer has no JSON form: " + std::string(status.message()));
}

}  // namespace tokensim::http
