#include "clients/cli/json.h"

#include <iostream>

#include "google/protobuf/util/json_util.h"

namespace tokensim::cli {

void ToJson(const google::protobuf::Message& message, JsonStyle style, std::string* out) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.add_whitespace = style == JsonStyle::kDocument;
  options.always_print_primitive_fields = true;
  out->clear();
  const auto status = google::protobuf::util::MessageToJsonString(message, out, options);
  // Fails only for an Any of an unknown type.
  if (!status.ok()) *out = "{}";
}

void PrintJson(const google::protobuf::Message& message) {
  std::string json;
  ToJson(message, JsonStyle::kDocument, &json);
  std::cout << json;
}

}  // namespace tokensim::cli
