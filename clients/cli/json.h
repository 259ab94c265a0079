// Messages as proto JSON with the schema's own names (snake_case); zeros are printed.
#pragma once

#include <string>

#include "google/protobuf/message.h"

namespace tokensim::cli {

enum class JsonStyle {
  kDocument,  // indented
  kLine,      // no newline, not even at the end
};

// Replaces `*out`.
void ToJson(const google::protobuf::Message& message, JsonStyle style, std::string* out);
// A document on stdout.
void PrintJson(const google::protobuf::Message& message);

}  // namespace tokensim::cli
