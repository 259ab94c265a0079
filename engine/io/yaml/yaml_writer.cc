#include <algorithm>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/io/yaml/field_names.h"
#include "engine/io/yaml/quantity.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kLineWidth = 100;

// Text that YAML reads as itself without quotes, and not as null, a number or a truth value.
bool IsPlain(const std::string& text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !letter(text.front()) || text.back() == ' ') return false;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!letter(c) && !digit && c != '_' && c != '-' && c != '.' && c != '/' && c != ' ') {
      return false;
    }
  }
  static constexpr std::string_view kWords[] = {"null", "Null", "NULL"};
  return std::find(std::begin(kWords), std::end(kWords), text) == std::end(kWords);
}

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      constexpr char kHex[] = "0123456789abcdef";
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string Text(const std::string& text) { return IsPlain(text) ? text : Quoted(text); }

std::string EnumText(const FieldDescriptor& field, int number) {
  const auto* value = field.enum_type()->FindValueByNumber(number);
  return value == nullptr ? absl::StrCat(number) : ShortEnumName(*value);
}

std::string StringText(const FieldDescriptor& field, const std::string& value) {
  return field.type() == FieldDescriptor::TYPE_BYTES ? Quoted(absl::Base64Escape(value))
                                                     : Text(value);
}

// A scalar field, or element `index` (>= 0) of a repeated one.
std::string ScalarText(const Message& m, const FieldDescriptor& field, int index) {
  const Reflection& r = *m.GetReflection();
  const FieldDescriptor* f = &field;
  const Units units = UnitsOfField(field.name());
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(one ? r.GetInt32(m, f) : r.GetRepeatedInt32(m, f, index));
    case FieldDescriptor::CPPTYPE_INT64:
      // Long columns of times stay plain.
      return one ? FormatInteger(r.GetInt64(m, f), units)
                 : absl::StrCat(r.GetRepeatedInt64(m, f, index));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(one ? r.GetUInt32(m, f) : r.GetRepeatedUInt32(m, f, index));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(one ? r.GetUInt64(m, f) : r.GetRepeatedUInt64(m, f, index));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return FormatReal(one ? r.GetDouble(m, f) : r.GetRepeatedDouble(m, f, index), units);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return FormatReal(one ? r.GetFloat(m, f) : r.GetRepeatedFloat(m, f, index), units);
    case FieldDescriptor::CPPTYPE_BOOL:
      return (one ? r.GetBool(m, f) : r.GetRepeatedBool(m, f, index)) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumText(field, one ? r.GetEnumValue(m, f) : r.GetRepeatedEnumValue(m, f, index));
    default:
      return StringText(field, one ? r.GetString(m, f) : r.GetRepeatedString(m, f, index));
  }
}

class Writer {
 public:
  std::string Take() { return std::move(out_); }

  // Every line begins with `indent` spaces; the first one's are written when `first` is false.
  void WriteFields(const Message& message, size_t indent, bool first = false) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
      if (!first) out_.append(indent, ' ');
      first = false;
      absl::StrAppend(&out_, field->name(), ":");
      if (field->is_map()) {
        WriteMap(message, *field, indent + 2);
      } else if (field->is_repeated()) {
        WriteList(message, *field, indent);
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        WriteMessage(message.GetReflection()->GetMessage(message, field), indent + 2);
      } else {
        absl::StrAppend(&out_, " ", ScalarText(message, *field, -1), "\n");
      }
    }
  }

 private:
  static bool Empty(const Message& message) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    return fields.empty();
  }

  void WriteMessage(const Message& message, size_t indent) {
    if (Empty(message)) {
      out_ += " {}\n";
      return;
    }
    out_ += '\n';
    WriteFields(message, indent);
  }

  void WriteMap(const Message& message, const FieldDescriptor& field, size_t indent) {
    out_ += '\n';
    const Reflection& reflection = *message.GetReflection();
    std::vector<std::string> lines;
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
      const FieldDescriptor& key = *field.message_type()->map_key();
      const FieldDescriptor& value = *field.message_type()->map_value();
      const std::string name = ScalarText(entry, key, -1);
      lines.push_back(
          absl::StrCat(std::string(indent, ' '), name, ": ", ScalarText(entry, value, -1), "\n"));
    }
    std::sort(lines.begin(), lines.end());
    for (const std::string& line : lines) out_ += line;
  }

  void WriteList(const Message& message, const FieldDescriptor& field, size_t indent) {
    const Reflection& reflection = *message.GetReflection();
    const int size = reflection.FieldSize(message, &field);
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return WriteFlow(message, field, size, indent + 2);
    }
    out_ += '\n';
    for (int i = 0; i < size; ++i) {
      const Message& element = reflection.GetRepeatedMessage(message, &field, i);
      out_.append(indent + 2, ' ');
      out_ += "- ";
      if (Empty(element)) {
        out_ += "{}\n";
      } else {
        WriteFields(element, indent + 4, true);
      }
    }
  }

  // [a, b, c], in lines of bounded width.
  void WriteFlow(const Message& message, const FieldDescriptor& field, int size, size_t indent) {
    out_ += " [";
    size_t line_start = out_.rfind('\n') + 1;
    for (int i = 0; i < size; ++i) {
      const std::string text = ScalarText(message, field, i);
      if (i > 0) {
        out_ += ',';
        if (out_.size() - line_start + text.size() + 3 > kLineWidth) {
          out_ += '\n';
          line_start = out_.size();
          out_.append(indent, ' ');
        } else {
          out_ += ' ';
        }
      }
      out_ += text;
    }
    out_ += "]\n";
  }

  std::string out_;
};

}  // namespace

std::string ToYaml(const Message& message) {
  Writer writer;
  writer.WriteFields(message, 0);
  return writer.Take();
}

}  // namespace tokensim
