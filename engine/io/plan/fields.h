// The fields of a message as a table: default, range, and why a field must be given. Internal to
// engine/io.
//
//   constexpr FieldRule kFields[] = {Integer("block_size", 1, 65'536).Default(16),
//                                    Positive("gpu_memory_utilization", 1).Default(0.9),
//                                    Flag("prefix_caching").Default(0)};
//   ResolveFields(check, kFields, &memory);
//
// One rule holds for every field of a specification (features/README.md): in a resolved one it is
// set if it applies and has a value at all, and absent if it does not apply. What is given and does
// not apply is checked like anything else, told with a warning unless it says the default, and
// removed: RemoveUnused.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "engine/io/plan/findings.h"
#include "google/protobuf/message.h"

namespace tokensim {

// A scalar field.
struct FieldRule {
  enum class Kind : uint8_t { kFlag, kInteger, kPositive, kNotNegative, kBetween, kEnum };

  std::string_view name;
  Kind kind = Kind::kFlag;
  int64_t min = 0;                        // kInteger
  int64_t max = 0;                        // kInteger
  double least = 0;                       // kBetween
  double limit = 0;                       // greatest value of kPositive, kNotNegative and kBetween
  std::string_view one_of{};              // kEnum: "a data type"
  std::optional<double> default_value{};  // of a flag 0 or 1, of an enumeration its number
  std::string_view required{};            // why it must be given; "" when it need not be

  [[nodiscard]] constexpr FieldRule Default(double value) const {
    FieldRule rule = *this;
    rule.default_value = value;
    return rule;
  }
  [[nodiscard]] constexpr FieldRule Required(std::string_view what_for) const {
    FieldRule rule = *this;
    rule.required = what_for;
    return rule;
  }
};

[[nodiscard]] constexpr FieldRule Flag(std::string_view name) {
  return {.name = name, .kind = FieldRule::Kind::kFlag};
}
[[nodiscard]] constexpr FieldRule Integer(std::string_view name, int64_t min, int64_t max) {
  return {.name = name, .kind = FieldRule::Kind::kInteger, .min = min, .max = max};
}
// 0 < value <= max.
[[nodiscard]] constexpr FieldRule Positive(std::string_view name, double max) {
  return {.name = name, .kind = FieldRule::Kind::kPositive, .limit = max};
}
// 0 <= value <= max.
[[nodiscard]] constexpr FieldRule NotNegative(std::string_view name, double max) {
  return {.name = name, .kind = FieldRule::Kind::kNotNegative, .limit = max};
}
// least <= value <= max.
[[nodiscard]] constexpr FieldRule Between(std::string_view name, double least, double max) {
  return {.name = name, .kind = FieldRule::Kind::kBetween, .least = least, .limit = max};
}
// Any value but the unspecified one. `one_of`: "a data type".
[[nodiscard]] constexpr FieldRule Enumeration(std::string_view name, std::string_view one_of) {
  return {.name = name, .kind = FieldRule::Kind::kEnum, .one_of = one_of};
}

// Checks the fields that are set, sets defaults, and tells which required ones are missing. Whether
// nothing is wrong. `check` is the message's.
bool ResolveFields(const Checker& check, std::span<const FieldRule> rules,
                   google::protobuf::Message* message);

// What is given in `own`, over what is in `defaults`. Lists are joined.
template <typename Message>
void Inherit(const Message& defaults, Message* own) {
  Message merged = defaults;
  merged.MergeFrom(*own);
  *own = std::move(merged);
}

// Fields that do not apply: checks those that are set, then removes them, with the warning
// "is not used: WHY" unless they say the default.
void RemoveUnused(const Checker& check, std::span<const FieldRule> rules, std::string_view why,
                  google::protobuf::Message* message);
// The same of one field of any kind, which has been checked, or could not be. `field` may be "", the
// whole message: what is removed is then its content.
void RemoveUnused(const Checker& check, std::string_view field, std::string_view why,
                  google::protobuf::Message* message);

}  // namespace tokensim
