// Compares two versions of a schema: what would break a client, a stored spec or a stored report.
//
//   for (const std::string& problem : BreakingChanges(committed, current)) ...
//
// Breaking are: a message, field, enum value, service or method that is gone (a field or value may
// go when its number and name are reserved), and a change of a field's number, name, type, presence
// or oneof, or of a method's types. Additions break nothing.
#pragma once

#include <string>
#include <vector>

#include "google/protobuf/descriptor.pb.h"

namespace tokensim {

[[nodiscard]] std::vector<std::string> BreakingChanges(
    const google::protobuf::FileDescriptorSet& before,
    const google::protobuf::FileDescriptorSet& after);

}  // namespace tokensim
