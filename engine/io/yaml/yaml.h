// Reads specifications written in YAML (spec.proto explains the spelling).
//
//   for (const YamlError& e : ParseYaml(text, "spec.yaml", &spec)) cerr << e.ToString();
//
//
// All errors are reported, not just the first: unknown field (with the nearest name), wrong type,
// bad quantity or unit, number out of the field's integer range, duplicate key, two members of a
// oneof. Aliases are expanded up to a bound, so no input exhausts memory.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

struct YamlError {
  std::string file;
  int line = 0;       // from 1; 0: unknown
  std::string field;  // path, as workload.arrival.poisson.rate_per_second; may be empty
  std::string message;
  // Paths of the fields that the message lacks because of it; "a.*" is some field of a.
  std::vector<std::string> unread = {};

  [[nodiscard]] std::string ToString() const;  // file:line: field: message
};

// Where each field stood, to point findings about a parsed spec back to its line.
using FieldLines = std::vector<std::pair<std::string, int>>;

// Parses YAML into any message of ours. Returns the errors; `message` is complete when there are
// none, and otherwise has what could be read.
std::vector<YamlError> ParseYaml(std::string_view text, const std::string& file,
                                 google::protobuf::Message* message, FieldLines* lines = nullptr);

// Sets one field from text, as the command line's --set: path `workload.arrival.poisson.
// rate_per_second`, list elements as `workers[0].count` or, by name, `workers.gpu.count`; value in
// YAML. A number may be given relative to the one there is: x2, x0.5, /8. Creates what is absent;
// setting a member of a oneof replaces the other member, and a preset that stands for it.
//
// `base`: where relative numbers look for a field that `message` does not have; may be null. Without
// it such a number is FAILED_PRECONDITION. `canonical`: becomes the path with indices; may be null.
[[nodiscard]] absl::Status SetField(std::string_view path, std::string_view value,
                                    google::protobuf::Message* message,
                                    const google::protobuf::Message* base = nullptr,
                                    std::string* canonical = nullptr);

// The message as YAML that ParseYaml reads back to the same message.
[[nodiscard]] std::string ToYaml(const google::protobuf::Message& message);

}  // namespace tokensim
