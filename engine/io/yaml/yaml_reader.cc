#include "engine/io/yaml/yaml_reader.h"

#include <limits>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/nearest.h"
#include "engine/io/yaml/field_names.h"
#include "engine/io/yaml/quantity.h"

namespace tokensim {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;

constexpr size_t kMaxErrors = 100;
// Aliases included, so that a few lines cannot expand into gigabytes.
constexpr int64_t kMaxValues = kMaxYamlNodes;

const char* KindName(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "a single value";
    case YamlNode::Kind::kSequence:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a mapping";
    case YamlNode::Kind::kAlias:
      break;
  }
  return "an alias";
}

std::string Join(const std::string& path, const std::string& name) {
  return path.empty() ? name : absl::StrCat(path, ".", name);
}

absl::StatusOr<bool> ParseBool(const std::string& text) {
  const std::string lower = absl::AsciiStrToLower(text);
  if (lower == "true" || lower == "yes" || lower == "on") return true;
  if (lower == "false" || lower == "no" || lower == "off") return false;
  return absl::InvalidArgumentError(absl::StrCat("expected true or false, got ", Quote(text)));
}

// Sets or, for a repeated field, appends a value with the reflection method of its type.
template <typename Value, typename Set, typename Add>
absl::Status Store(const absl::StatusOr<Value>& value, const FieldDescriptor& field,
                   Message* message, Set set, Add add) {
  if (!value.ok()) return value.status();
  const Reflection* reflection = message->GetReflection();
  if (field.is_repeated()) {
    (reflection->*add)(message, &field, *value);
  } else {
    (reflection->*set)(message, &field, *value);
  }
  return absl::OkStatus();
}

// Notes in the list `unset` of the message, if it has one, that the field was written as null.
bool Unset(const FieldDescriptor& field, Message* message) {
  const FieldDescriptor* unset = message->GetDescriptor()->FindFieldByName("unset");
  if (unset == nullptr || unset == &field || !unset->is_repeated() ||
      unset->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    return false;
  }
  message->GetReflection()->AddString(message, unset, std::string(field.name()));
  return true;
}

absl::StatusOr<std::string> ParseBytes(const std::string& text) {
  std::string bytes;
  if (!absl::Base64Unescape(text, &bytes)) {
    return absl::InvalidArgumentError("expected bytes in base64");
  }
  return bytes;
}

template <typename Int>
absl::StatusOr<Int> ParseInt(const std::string& text, const FieldDescriptor& field) {
  const auto value = ParseInteger(text, UnitsOfField(field.name()), std::numeric_limits<Int>::min(),
                                  std::numeric_limits<Int>::max());
  if (!value.ok()) return value.status();
  return static_cast<Int>(*value);
}

template <typename Int>
absl::StatusOr<Int> ParseUInt(const std::string& text) {
  const auto value = ParseUnsigned(text, std::numeric_limits<Int>::max());
  if (!value.ok()) return value.status();
  return static_cast<Int>(*value);
}

absl::Status StoreScalar(const std::string& text, const FieldDescriptor& field, Message* message) {
  using R = Reflection;
  const Units units = UnitsOfField(field.name());
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return Store(ParseInt<int32_t>(text, field), field, message, &R::SetInt32, &R::AddInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return Store(ParseInt<int64_t>(text, field), field, message, &R::SetInt64, &R::AddInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return Store(ParseUInt<uint32_t>(text), field, message, &R::SetUInt32, &R::AddUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return Store(ParseUInt<uint64_t>(text), field, message, &R::SetUInt64, &R::AddUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Store(ParseReal(text, units), field, message, &R::SetDouble, &R::AddDouble);
    case FieldDescriptor::CPPTYPE_FLOAT: {
      const auto value = ParseReal(text, units);
      if (!value.ok()) return value.status();
      return Store(absl::StatusOr<float>(static_cast<float>(*value)), field, message, &R::SetFloat,
                   &R::AddFloat);
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return Store(ParseBool(text), field, message, &R::SetBool, &R::AddBool);
    default: {
      const bool bytes = field.type() == FieldDescriptor::TYPE_BYTES;
      return Store(bytes ? ParseBytes(text) : absl::StatusOr<std::string>(text), field, message,
                   &R::SetString, &R::AddString);
    }
  }
}

}  // namespace

bool YamlReader::full() const { return errors_.size() > kMaxErrors || exhausted_; }

void YamlReader::Error(int line, const std::string& path, std::string message,
                       std::vector<std::string> unread) {
  if (full()) return;
  if (errors_.size() == kMaxErrors) {
    errors_.push_back({file_, line, "", "more errors follow", {""}});
    return;
  }
  errors_.push_back({file_, line, path, std::move(message), std::move(unread)});
}

bool YamlReader::Count(const YamlNode& node, const std::string& path) {
  if (exhausted_) return false;
  if (++values_ <= kMaxValues) return true;
  Error(node.line, path, absl::StrCat("more than ", kMaxValues, " values, aliases expanded"), {""});
  exhausted_ = true;
  return false;
}

void YamlReader::ReadDocument(Message* message) {
  if (tree_.nodes.empty()) return;
  const YamlNode& root = tree_.Get(0);
  if (root.kind == YamlNode::Kind::kNull) return;
  if (root.kind != YamlNode::Kind::kMap) {
    Error(root.line, "", absl::StrCat("expected fields (name: value), got ", KindName(root)));
    return;
  }
  ReadFields(root, message, "");
}

void YamlReader::ReadMessage(uint32_t index, Message* message, const std::string& path) {
  const YamlNode& node = tree_.Get(index);
  if (!Count(node, path)) return;
  const Descriptor& type = *message->GetDescriptor();
  const FieldDescriptor* scalar = ScalarField(type);
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return;
    case YamlNode::Kind::kMap:
      return ReadFields(node, message, path);
    case YamlNode::Kind::kScalar:
      if (scalar != nullptr) return ReadScalar(node, *scalar, message, path);
      [[fallthrough]];
    default:
      Error(node.line, path,
            absl::StrCat("expected fields (", absl::StrJoin(FieldNames(type), ", "), "), got ",
                         KindName(node)));
  }
}

void YamlReader::Unknown(const YamlNode& key, const Descriptor& type, const std::string& path) {
  const std::vector<std::string> names = FieldNames(type);
  std::string message = absl::StrCat("unknown field ", Quote(key.scalar));
  const std::string suggestion = DidYouMean(key.scalar, names);
  const size_t colon = key.scalar.find(':');
  std::vector<std::string> unread;
  for (const std::string& name : NearestNames(key.scalar.substr(0, colon), names)) {
    unread.push_back(Join(path, name));
  }
  if (unread.empty()) unread.push_back(Join(path, "*"));
  if (colon != std::string::npos && type.FindFieldByName(key.scalar.substr(0, colon)) != nullptr) {
    absl::StrAppend(&message, "; a colon needs a blank behind it: ", key.scalar.substr(0, colon),
                    ": ", key.scalar.substr(colon + 1));
  } else if (!suggestion.empty()) {
    message += suggestion;
  } else if (names.empty()) {
    message += "; it has no fields: write {}";
  } else {
    absl::StrAppend(&message, "; fields are ", absl::StrJoin(names, ", "));
  }
  Error(key.line, path, std::move(message), std::move(unread));
}

void YamlReader::ReadFields(const YamlNode& map, Message* message, const std::string& path) {
  const Descriptor& type = *message->GetDescriptor();
  std::map<const FieldDescriptor*, int> seen;  // line
  std::map<const OneofDescriptor*, const FieldDescriptor*> members;
  for (size_t i = 0; i + 1 < map.children.size() && !full(); i += 2) {
    const YamlNode& key = tree_.Get(map.children[i]);
    if (key.kind != YamlNode::Kind::kScalar) {
      Error(key.line, path, "a field name must be a single word", {Join(path, "*")});
      continue;
    }
    const FieldDescriptor* field = type.FindFieldByName(key.scalar);
    if (field == nullptr) {
      Unknown(key, type, path);
      continue;
    }
    const std::string field_path = Join(path, field->name());
    const auto [first, is_new] = seen.emplace(field, key.line);
    if (!is_new) {
      Error(key.line, field_path, absl::StrCat("given twice; first at line ", first->second), {});
      continue;
    }
    if (const OneofDescriptor* oneof = field->real_containing_oneof()) {
      const auto [member, first_member] = members.emplace(oneof, field);
      if (!first_member) {
        Error(key.line, Join(path, member->second->name()),
              absl::StrCat(member->second->name(), " and ", field->name(),
                           " exclude each other; give one of them"),
              {});
        continue;
      }
    }
    if (lines_ != nullptr) lines_->emplace_back(field_path, key.line);
    ReadValue(map.children[i + 1], *field, message, field_path);
  }
}

void YamlReader::ReadValue(uint32_t index, const FieldDescriptor& field, Message* message,
                           const std::string& path) {
  const YamlNode& node = tree_.Get(index);
  if (node.kind == YamlNode::Kind::kNull && Unset(field, message)) return;
  if (field.is_map()) return ReadMap(node, field, message, path);
  if (field.is_repeated()) return ReadList(node, field, message, path);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return ReadMessage(index, message->GetReflection()->MutableMessage(message, &field), path);
  }
  ReadScalar(node, field, message, path);
}

void YamlReader::AddElement(uint32_t index, const FieldDescriptor& field, Message* message,
                            const std::string& path) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return ReadMessage(index, message->GetReflection()->AddMessage(message, &field), path);
  }
  ReadScalar(tree_.Get(index), field, message, path);
}

void YamlReader::ReadList(const YamlNode& node, const FieldDescriptor& field, Message* message,
                          const std::string& path) {
  if (node.kind != YamlNode::Kind::kSequence) {
    Error(
        node.line, path,
        absl::StrCat("expected a list ([a, b] or lines that begin with -), got ", KindName(node)));
    return;
  }
  const bool record = lines_ != nullptr && field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  for (size_t i = 0; i < node.children.size() && !full(); ++i) {
    const std::string element = absl::StrCat(path, "[", i, "]");
    if (record) lines_->emplace_back(element, tree_.nodes[node.children[i]].line);
    AddElement(node.children[i], field, message, element);
  }
}

void YamlReader::ReadMap(const YamlNode& node, const FieldDescriptor& field, Message* message,
                         const std::string& path) {
  if (node.kind != YamlNode::Kind::kMap) {
    Error(node.line, path, absl::StrCat("expected a mapping (key: value), got ", KindName(node)));
    return;
  }
  const Descriptor& entry_type = *field.message_type();
  std::map<std::string, int> seen;
  for (size_t i = 0; i + 1 < node.children.size() && !full(); i += 2) {
    const YamlNode& key = tree_.Get(node.children[i]);
    const auto [first, is_new] = seen.emplace(key.scalar, key.line);
    if (!is_new) {
      Error(key.line, Join(path, key.scalar),
            absl::StrCat("given twice; first at line ", first->second), {});
      continue;
    }
    Message* entry = message->GetReflection()->AddMessage(message, &field);
    const std::string entry_path = absl::StrCat(path, "[", Quote(key.scalar), "]");
    ReadScalar(key, *entry_type.map_key(), entry, entry_path);
    ReadValue(node.children[i + 1], *entry_type.map_value(), entry, entry_path);
  }
}

void YamlReader::ReadScalar(const YamlNode& node, const FieldDescriptor& field, Message* message,
                            const std::string& path) {
  if (!Count(node, path)) return;
  // An element that is not read changes what the others are: the whole list is not read.
  const std::string unread = field.is_repeated() ? path.substr(0, path.rfind('[')) : path;
  if (node.kind != YamlNode::Kind::kScalar) {
    Error(node.line, path, absl::StrCat("expected a value, got ", KindName(node)), {unread});
    return;
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    return ReadEnum(node, field, message, path);
  }
  const absl::Status status = StoreScalar(node.scalar, field, message);
  if (!status.ok()) Error(node.line, path, std::string(status.message()), {unread});
}

void YamlReader::ReadEnum(const YamlNode& node, const FieldDescriptor& field, Message* message,
                          const std::string& path) {
  const EnumDescriptor& type = *field.enum_type();
  int32_t number = 0;
  if (const auto* value = FindEnumValue(type, node.scalar)) {
    number = value->number();
  } else if (!absl::SimpleAtoi(node.scalar, &number)) {
    const std::vector<std::string> names = EnumNames(type);
    Error(node.line, path,
          absl::StrCat("unknown value ", Quote(node.scalar), "; allowed are ",
                       absl::StrJoin(names, ", "), DidYouMean(node.scalar, names)));
    return;
  }
  if (field.is_repeated()) {
    message->GetReflection()->AddEnumValue(message, &field, number);
  } else {
    message->GetReflection()->SetEnumValue(message, &field, number);
  }
}

}  // namespace tokensim
