#include "tests/meta/descriptor_compat.h"

#include <algorithm>
#include <map>

namespace tokensim {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::EnumDescriptorProto;
using google::protobuf::EnumValueDescriptorProto;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptorSet;
using google::protobuf::MethodDescriptorProto;
using google::protobuf::ServiceDescriptorProto;

// Everything of a schema by full name.
struct Schema {
  std::map<std::string, DescriptorProto> messages;
  std::map<std::string, EnumDescriptorProto> enums;
  std::map<std::string, ServiceDescriptorProto> services;
};

void AddMessage(const std::string& scope, const DescriptorProto& message, Schema* schema) {
  const std::string name = scope + "." + message.name();
  schema->messages[name] = message;
  for (const auto& nested : message.nested_type()) AddMessage(name, nested, schema);
  for (const auto& type : message.enum_type()) schema->enums[name + "." + type.name()] = type;
}

Schema Index(const FileDescriptorSet& set) {
  Schema schema;
  for (const auto& file : set.file()) {
    for (const auto& message : file.message_type()) AddMessage(file.package(), message, &schema);
    for (const auto& type : file.enum_type()) {
      schema.enums[file.package() + "." + type.name()] = type;
    }
    for (const auto& service : file.service()) {
      schema.services[file.package() + "." + service.name()] = service;
    }
  }
  return schema;
}

// The oneof a field is written in; proto3 `optional` makes one of its own, which does not count.
std::string OneofOf(const DescriptorProto& message, const FieldDescriptorProto& field) {
  if (!field.has_oneof_index() || field.proto3_optional()) return "";
  return message.oneof_decl(field.oneof_index()).name();
}

// What of a field is on the wire or in files.
std::string Signature(const DescriptorProto& message, const FieldDescriptorProto& field) {
  std::string text = FieldDescriptorProto::Label_Name(field.label()) + " " +
                     FieldDescriptorProto::Type_Name(field.type()) + " " + field.type_name() + " " +
                     field.name();
  if (field.proto3_optional()) text += " with presence";
  const std::string oneof = OneofOf(message, field);
  return oneof.empty() ? text : text + " in oneof " + oneof;
}

// Both message and enum ranges; the end of a message's is exclusive.
template <typename Type>
bool IsReserved(const Type& type, int number, const std::string& name, int inclusive) {
  const auto& names = type.reserved_name();
  return std::find(names.begin(), names.end(), name) != names.end() &&
         std::any_of(type.reserved_range().begin(), type.reserved_range().end(),
                     [&](const auto& range) {
                       return number >= range.start() && number < range.end() + inclusive;
                     });
}

void CompareMessages(const std::string& name, const DescriptorProto& before,
                     const DescriptorProto& after, std::vector<std::string>* problems) {
  std::map<int, const FieldDescriptorProto*> fields;
  for (const auto& field : after.field()) fields[field.number()] = &field;
  for (const auto& field : before.field()) {
    const std::string what = name + "." + field.name();
    const auto now = fields.find(field.number());
    if (now == fields.end()) {
      if (!IsReserved(after, field.number(), field.name(), 0)) {
        problems->push_back(what + ": gone, and its number and name are not reserved");
      }
      continue;
    }
    const std::string was = Signature(before, field);
    const std::string is = Signature(after, *now->second);
    if (was != is) problems->push_back(what + ": was " + was + ", is " + is);
  }
}

void CompareEnums(const std::string& name, const EnumDescriptorProto& before,
                  const EnumDescriptorProto& after, std::vector<std::string>* problems) {
  std::map<int, const EnumValueDescriptorProto*> values;
  for (const auto& value : after.value()) values[value.number()] = &value;
  for (const auto& value : before.value()) {
    const std::string what = name + "." + value.name();
    const auto now = values.find(value.number());
    if (now == values.end()) {
      if (!IsReserved(after, value.number(), value.name(), 1)) {
        problems->push_back(what + ": gone, and its number and name are not reserved");
      }
    } else if (now->second->name() != value.name()) {
      problems->push_back(what + ": its number is now " + now->second->name());
    }
  }
}

std::string Signature(const MethodDescriptorProto& method) {
  return (method.client_streaming() ? "stream " : "") + method.input_type() + " -> " +
         (method.server_streaming() ? "stream " : "") + method.output_type();
}

void CompareServices(const std::string& name, const ServiceDescriptorProto& before,
                     const ServiceDescriptorProto& after, std::vector<std::string>* problems) {
  std::map<std::string, std::string> methods;
  for (const auto& method : after.method()) methods[method.name()] = Signature(method);
  for (const auto& method : before.method()) {
    const std::string what = name + "." + method.name();
    const auto now = methods.find(method.name());
    if (now == methods.end()) {
      problems->push_back(what + ": gone");
    } else if (now->second != Signature(method)) {
      problems->push_back(what + ": was " + Signature(method) + ", is " + now->second);
    }
  }
}

template <typename Type, typename Compare>
void CompareAll(const std::map<std::string, Type>& before, const std::map<std::string, Type>& after,
                Compare compare, std::vector<std::string>* problems) {
  for (const auto& [name, type] : before) {
    const auto now = after.find(name);
    if (now == after.end()) {
      problems->push_back(name + ": gone");
    } else {
      compare(name, type, now->second, problems);
    }
  }
}

}  // namespace

std::vector<std::string> BreakingChanges(const FileDescriptorSet& before,
                                         const FileDescriptorSet& after) {
  const Schema old_schema = Index(before);
  const Schema new_schema = Index(after);
  std::vector<std::string> problems;
  CompareAll(old_schema.messages, new_schema.messages, CompareMessages, &problems);
  CompareAll(old_schema.enums, new_schema.enums, CompareEnums, &problems);
  CompareAll(old_schema.services, new_schema.services, CompareServices, &problems);
  return problems;
}

}  // namespace tokensim
