// How fields and enum values are spelled for people. Shared by reader and writer; internal to
// engine/io.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/descriptor.h"

namespace tokensim {

// bf16 for DATA_TYPE_BF16.
[[nodiscard]] std::string ShortEnumName(const google::protobuf::EnumValueDescriptor& value);

// By full or short name in any case, or by number. Null: none.
[[nodiscard]] const google::protobuf::EnumValueDescriptor* FindEnumValue(
    const google::protobuf::EnumDescriptor& type, std::string_view name);

// Short names, without the unspecified value.
[[nodiscard]] std::vector<std::string> EnumNames(const google::protobuf::EnumDescriptor& type);

[[nodiscard]] std::vector<std::string> FieldNames(const google::protobuf::Descriptor& type);

// The string field that a scalar in place of the message sets, or null.
[[nodiscard]] const google::protobuf::FieldDescriptor* ScalarField(
    const google::protobuf::Descriptor& type);

}  // namespace tokensim
