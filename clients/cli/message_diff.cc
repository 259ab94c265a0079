#include "clients/cli/message_diff.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "clients/cli/units.h"

namespace tokensim::cli {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// `index`: in a repeated field; -1: none.
std::string ScalarText(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool repeated = index >= 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(repeated ? r.GetRepeatedInt32(message, field, index)
                                   : r.GetInt32(message, field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(repeated ? r.GetRepeatedInt64(message, field, index)
                                   : r.GetInt64(message, field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(repeated ? r.GetRepeatedUInt32(message, field, index)
                                   : r.GetUInt32(message, field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(repeated ? r.GetRepeatedUInt64(message, field, index)
                                   : r.GetUInt64(message, field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return FormatExact(repeated ? r.GetRepeatedDouble(message, field, index)
                                  : r.GetDouble(message, field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return FormatExact(static_cast<double>(repeated ? r.GetRepeatedFloat(message, field, index)
                                                      : r.GetFloat(message, field)));
    case FieldDescriptor::CPPTYPE_BOOL:
      return (repeated ? r.GetRepeatedBool(message, field, index) : r.GetBool(message, field))
                 ? "true"
                 : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return (repeated ? r.GetRepeatedEnum(message, field, index) : r.GetEnum(message, field))
          ->name();
    case FieldDescriptor::CPPTYPE_STRING:
      return repeated ? r.GetRepeatedString(message, field, index) : r.GetString(message, field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return "";
}

class Diff {
 public:
  std::vector<FieldDifference> Take() { return std::move(found_); }

  // Null: that side has no such message.
  void Compare(const Message* a, const Message* b, const std::string& prefix) {
    const Message& any = a != nullptr ? *a : *b;
    const google::protobuf::Descriptor& type = *any.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor* field = type.field(i);
      const std::string path = prefix + field->name();
      if (field->is_map()) {
        CompareMaps(a, b, field, path);
      } else if (field->is_repeated()) {
        const int count = std::max(Size(a, field), Size(b, field));
        for (int k = 0; k < count; ++k) {
          CompareField(a, b, field, k, absl::StrCat(path, "[", k, "]"));
        }
      } else {
        CompareField(a, b, field, -1, path);
      }
    }
  }

 private:
  static int Size(const Message* message, const FieldDescriptor* field) {
    return message == nullptr ? 0 : message->GetReflection()->FieldSize(*message, field);
  }

  static bool Has(const Message* message, const FieldDescriptor* field, int index) {
    if (message == nullptr) return false;
    const Reflection& r = *message->GetReflection();
    if (index >= 0) return index < r.FieldSize(*message, field);
    return r.HasField(*message, field);
  }

  static const Message* Sub(const Message* message, const FieldDescriptor* field, int index) {
    if (!Has(message, field, index)) return nullptr;
    const Reflection& r = *message->GetReflection();
    return index >= 0 ? &r.GetRepeatedMessage(*message, field, index)
                      : &r.GetMessage(*message, field);
  }

  // A scalar without presence is there with its zero in a message that is.
  static std::string Text(const Message* message, const FieldDescriptor* field, int index) {
    if (message == nullptr) return "";
    if ((index >= 0 || field->has_presence()) && !Has(message, field, index)) return "";
    return ScalarText(*message, field, index);
  }

  void CompareField(const Message* a, const Message* b, const FieldDescriptor* field, int index,
                    const std::string& path) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      const Message* sub_a = Sub(a, field, index);
      const Message* sub_b = Sub(b, field, index);
      if (sub_a == nullptr && sub_b == nullptr) return;
      const size_t before = found_.size();
      Compare(sub_a, sub_b, path + '.');
      const bool one_lacks_it = sub_a == nullptr || sub_b == nullptr;
      if (one_lacks_it && found_.size() == before) {
        Note(path, sub_a == nullptr ? "" : "{}", sub_b == nullptr ? "" : "{}");
      }
      return;
    }
    Note(path, Text(a, field, index), Text(b, field, index));
  }

  // By key; entries have no order.
  void CompareMaps(const Message* a, const Message* b, const FieldDescriptor* field,
                   const std::string& path) {
    std::map<std::string, std::pair<const Message*, const Message*>> entries;
    const FieldDescriptor* key = field->message_type()->map_key();
    for (int k = 0; k < Size(a, field); ++k) {
      const Message* entry = Sub(a, field, k);
      entries[ScalarText(*entry, key, -1)].first = entry;
    }
    for (int k = 0; k < Size(b, field); ++k) {
      const Message* entry = Sub(b, field, k);
      entries[ScalarText(*entry, key, -1)].second = entry;
    }
    const FieldDescriptor* value = field->message_type()->map_value();
    for (const auto& [name, both] : entries) {
      CompareField(both.first, both.second, value, -1, absl::StrCat(path, ".", name));
    }
  }

  void Note(const std::string& path, std::string a, std::string b) {
    if (a != b) found_.push_back({path, std::move(a), std::move(b)});
  }

  std::vector<FieldDifference> found_;
};

}  // namespace

std::vector<FieldDifference> DiffMessages(const Message& a, const Message& b) {
  Diff diff;
  diff.Compare(&a, &b, "");
  return diff.Take();
}

}  // namespace tokensim::cli
