#include "engine/io/plan/fields.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/invariant.h"
#include "engine/io/yaml/field_names.h"
#include "engine/io/yaml/quantity.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/reflection.h"

namespace tokensim {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const FieldDescriptor* Find(std::string_view name, const Message& message) {
  const auto* field = message.GetDescriptor()->FindFieldByName(std::string(name));
  TOKENSIM_INVARIANT(field != nullptr, "a table names a field that the schema has not");
  return field;
}

bool IsSet(const FieldDescriptor* field, const Message& message) {
  const auto& reflection = *message.GetReflection();
  return field->is_repeated() ? reflection.FieldSize(message, field) > 0
                              : reflection.HasField(message, field);
}

int64_t ReadInteger(const FieldDescriptor* field, const Message& message) {
  const auto& reflection = *message.GetReflection();
  return field->cpp_type() == FieldDescriptor::CPPTYPE_INT32 ? reflection.GetInt32(message, field)
                                                             : reflection.GetInt64(message, field);
}

// A value that is good.
double ReadNumber(const FieldDescriptor* field, const Message& message) {
  const auto& reflection = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, field) ? 1 : 0;
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.GetEnumValue(message, field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(message, field);
    default:
      return static_cast<double>(ReadInteger(field, message));
  }
}

void WriteNumber(const FieldDescriptor* field, double value, Message* message) {
  const auto& reflection = *message->GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.SetBool(message, field, value != 0);
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.SetEnumValue(message, field, static_cast<int>(value));
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.SetInt32(message, field, static_cast<int32_t>(value));
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.SetInt64(message, field, static_cast<int64_t>(value));
    default:
      return reflection.SetDouble(message, field, value);
  }
}

bool CheckEnum(const Checker& check, const FieldRule& rule, const FieldDescriptor* field,
               const Message& message) {
  const EnumDescriptor& type = *field->enum_type();
  const int value = message.GetReflection()->GetEnumValue(message, field);
  if (value != 0 && type.FindValueByNumber(value) != nullptr) return true;
  check.Error(rule.name, absl::StrCat("is not ", std::string(rule.one_of), "; allowed are ",
                                      absl::StrJoin(EnumNames(type), ", ")));
  return false;
}

bool CheckBetween(const Checker& check, const FieldRule& rule, double value) {
  if (value >= rule.least && value <= rule.limit) return true;
  check.Error(rule.name, absl::StrCat("is ", FormatReal(value, Units::kNone), "; allowed are ",
                                      rule.least, " .. ", rule.limit));
  return false;
}

// Of a field that is set.
bool CheckField(const Checker& check, const FieldRule& rule, const FieldDescriptor* field,
                const Message& message) {
  switch (rule.kind) {
    case FieldRule::Kind::kFlag:
      return true;
    case FieldRule::Kind::kInteger:
      return check.Range(rule.name, ReadInteger(field, message), rule.min, rule.max);
    case FieldRule::Kind::kPositive:
      return check.Positive(rule.name, ReadNumber(field, message), rule.limit);
    case FieldRule::Kind::kNotNegative:
      return check.NotNegative(rule.name, ReadNumber(field, message), rule.limit);
    case FieldRule::Kind::kBetween:
      return CheckBetween(check, rule, ReadNumber(field, message));
    case FieldRule::Kind::kEnum:
      return CheckEnum(check, rule, field, message);
  }
  return false;
}

void Warn(const Checker& check, std::string_view field, std::string_view why) {
  check.Warning(field, absl::StrCat("is not used: ", std::string(why)));
}

}  // namespace

bool ResolveFields(const Checker& check, std::span<const FieldRule> rules, Message* message) {
  bool good = true;
  for (const FieldRule& rule : rules) {
    const FieldDescriptor* field = Find(rule.name, *message);
    if (IsSet(field, *message)) {
      good &= CheckField(check, rule, field, *message);
    } else if (rule.default_value) {
      WriteNumber(field, *rule.default_value, message);
    } else if (!rule.required.empty()) {
      good &= check.Required(rule.name, false, rule.required);
    }
  }
  return good;
}

void RemoveUnused(const Checker& check, std::span<const FieldRule> rules, std::string_view why,
                  Message* message) {
  for (const FieldRule& rule : rules) {
    const FieldDescriptor* field = Find(rule.name, *message);
    if (!IsSet(field, *message)) continue;
    const bool good = CheckField(check, rule, field, *message);
    if (good && ReadNumber(field, *message) != rule.default_value) Warn(check, rule.name, why);
    message->GetReflection()->ClearField(message, field);
  }
}

void RemoveUnused(const Checker& check, std::string_view field, std::string_view why,
                  Message* message) {
  if (field.empty()) {
    if (message->ByteSizeLong() > 0) Warn(check, field, why);
    return message->Clear();
  }
  const FieldDescriptor* found = Find(field, *message);
  if (!IsSet(found, *message)) return;
  // An empty message says nothing.
  const bool empty = !found->is_repeated() && found->message_type() != nullptr &&
                     message->GetReflection()->GetMessage(*message, found).ByteSizeLong() == 0;
  if (!empty) Warn(check, field, why);
  message->GetReflection()->ClearField(message, found);
}

}  // namespace tokensim
