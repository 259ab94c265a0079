// Messages as bodies: protobuf's binary form and its canonical JSON.
//
// JSON has lowerCamelCase names (those of the .proto files are accepted too), 64-bit integers as
// strings and enums by name. A field that is not in the schema is an error, as in YAML.
// Functions without state.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace tokensim::http {

enum class Codec { kJson, kProto };

struct BodyType {
  Codec codec = Codec::kJson;
  bool stream = false;  // application/connect+...
};

// Of a Content-Type; nullopt for all that is not of the Connect protocol.
[[nodiscard]] std::optional<BodyType> ParseContentType(std::string_view value);
[[nodiscard]] const char* ContentTypeOf(BodyType type);

// INVALID_ARGUMENT REQUEST_INVALID that says what is wrong and where.
[[nodiscard]] absl::Status Decode(Codec codec, std::string_view bytes,
                                  google::protobuf::Message* message);
// Appends. INTERNAL when there is no JSON form.
[[nodiscard]] absl::Status Encode(Codec codec, const google::protobuf::Message& message,
                                  std::string* out);

}  // namespace tokensim::http
