#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "engine/base/nearest.h"
#include "engine/io/yaml/field_names.h"
#include "engine/io/yaml/quantity.h"
#include "engine/io/yaml/yaml.h"
#include "engine/io/yaml/yaml_reader.h"
#include "engine/io/yaml/yaml_tree.h"

namespace tokensim {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// One step of a path: name or name[index].
struct Step {
  std::string name;
  std::optional<int> index;
};

absl::StatusOr<Step> ParseStep(std::string_view text) {
  Step step;
  const size_t bracket = text.find('[');
  step.name = text.substr(0, bracket);
  if (bracket == std::string_view::npos) return step;
  const std::string_view digits = text.substr(bracket + 1);
  int index = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  const bool closed = result.ptr + 1 == digits.data() + digits.size() && *result.ptr == ']';
  if (result.ec != std::errc() || !closed || index < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("bad index in ", Quote(text), "; list elements are written name[0]"));
  }
  step.index = index;
  return step;
}

absl::StatusOr<const FieldDescriptor*> FindField(const Descriptor& type, const Step& step) {
  const FieldDescriptor* field = type.FindFieldByName(step.name);
  if (field == nullptr) {
    const std::vector<std::string> names = FieldNames(type);
    std::string suggestion = DidYouMean(step.name, names);
    if (suggestion.empty()) suggestion = absl::StrCat("; fields are ", absl::StrJoin(names, ", "));
    return absl::InvalidArgumentError(absl::StrCat("unknown field ", Quote(step.name), suggestion));
  }
  if (step.index && (!field->is_repeated() || field->is_map())) {
    return absl::InvalidArgumentError(absl::StrCat(step.name, " is not a list"));
  }
  return field;
}

absl::Status CheckIndex(const Message& message, const FieldDescriptor& field, int index) {
  const int size = message.GetReflection()->FieldSize(message, &field);
  if (index <= size) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      field.name(), " has ", size, " elements; the next one is ", field.name(), "[", size, "]"));
}

// A preset and the members of a oneof beside it exclude each other: what is set replaces the rest.
void ClearRivals(const FieldDescriptor& field, Message* message) {
  const Descriptor& type = *message->GetDescriptor();
  const FieldDescriptor* preset = type.FindFieldByName("preset");
  if (preset == nullptr) return;
  const Reflection* reflection = message->GetReflection();
  if (field.real_containing_oneof() != nullptr) reflection->ClearField(message, preset);
  if (&field != preset) return;
  for (int i = 0; i < type.real_oneof_decl_count(); ++i) {
    reflection->ClearOneof(message, type.oneof_decl(i));
  }
}

// The message that a step in the middle of a path leads to.
absl::StatusOr<Message*> Descend(Message* message, const Step& step) {
  const auto field = FindField(*message->GetDescriptor(), step);
  if (!field.ok()) return field.status();
  if ((*field)->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || (*field)->is_map()) {
    return absl::InvalidArgumentError(absl::StrCat(step.name, " has no fields"));
  }
  ClearRivals(**field, message);
  const Reflection* reflection = message->GetReflection();
  if (!(*field)->is_repeated()) return reflection->MutableMessage(message, *field);
  if (!step.index) {
    return absl::InvalidArgumentError(
        absl::StrCat(step.name, " is a list: write ", step.name, "[0]"));
  }
  if (absl::Status status = CheckIndex(*message, **field, *step.index); !status.ok()) return status;
  if (*step.index == reflection->FieldSize(*message, *field)) {
    return reflection->AddMessage(message, *field);
  }
  return reflection->MutableRepeatedMessage(message, *field, *step.index);
}

// The map with text as keys that the step means, or null.
const FieldDescriptor* TextMap(const Message& message, const Step& step) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(step.name);
  const bool is_map = !step.index && field != nullptr && field->is_map();
  if (!is_map) return nullptr;
  const FieldDescriptor* key = field->message_type()->map_key();
  return key->cpp_type() == FieldDescriptor::CPPTYPE_STRING ? field : nullptr;
}

// The entry of a map, or -1.
int EntryIndex(const Message& message, const FieldDescriptor& map, const std::string& key) {
  const Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < reflection.FieldSize(message, &map); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &map, i);
    if (entry.GetReflection()->GetString(entry, map.message_type()->map_key()) == key) return i;
  }
  return -1;
}

// The list whose elements have names that the step means, or null.
const FieldDescriptor* NamedList(const Message& message, const Step& step) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(step.name);
  if (step.index || field == nullptr || !field->is_repeated() || field->is_map() ||
      field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return nullptr;
  }
  const FieldDescriptor* name = field->message_type()->FindFieldByName("name");
  const bool named = name != nullptr && name->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  return named ? field : nullptr;
}

std::vector<std::string> ElementNames(const Message& message, const FieldDescriptor& list) {
  const FieldDescriptor* name = list.message_type()->FindFieldByName("name");
  std::vector<std::string> names;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &list); ++i) {
    const Message& element = message.GetReflection()->GetRepeatedMessage(message, &list, i);
    names.push_back(element.GetReflection()->GetString(element, name));
  }
  return names;
}

// Replaces `workers.NAME` at `parts[at]` by `workers[INDEX]`. A name may have dots: the longest one
// that fits is meant.
absl::Status ReplaceName(const Message& message, size_t at, std::vector<std::string>* parts) {
  const auto step = ParseStep((*parts)[at]);
  if (!step.ok()) return step.status();
  const FieldDescriptor* list = NamedList(message, *step);
  if (list == nullptr || at + 1 == parts->size()) return absl::OkStatus();
  const std::vector<std::string> names = ElementNames(message, *list);
  const auto begin = parts->begin() + static_cast<std::ptrdiff_t>(at) + 1;
  for (auto end = parts->end(); end != begin; --end) {
    const std::string name = absl::StrJoin(begin, end, ".");
    const auto found = std::find(names.begin(), names.end(), name);
    if (name.empty() || found == names.end()) continue;
    (*parts)[at] = absl::StrCat(step->name, "[", found - names.begin(), "]");
    parts->erase(begin, end);
    return absl::OkStatus();
  }
  std::string example = absl::StrCat(step->name, "[0]");
  std::vector<std::string> known;
  for (const std::string& name : names) {
    if (!name.empty()) known.push_back(absl::StrCat(step->name, ".", name));
  }
  if (!known.empty()) absl::StrAppend(&example, " or ", absl::StrJoin(known, ", "));
  return absl::InvalidArgumentError(absl::StrCat(step->name, " is a list: write ", example));
}

// Makes the element appended last the one at `index`.
void MoveLastTo(int index, const FieldDescriptor& field, Message* message) {
  const Reflection* reflection = message->GetReflection();
  const int last = reflection->FieldSize(*message, &field) - 1;
  if (index == last) return;
  reflection->SwapElements(message, &field, index, last);
  reflection->RemoveLast(message, &field);
}

absl::Status At(std::string_view path, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(std::string(path), ": ", std::string(status.message())));
}

// x2, x0.5, /8 as a number to multiply by, or none.
struct Relative {
  double number = 1;
  bool divides = false;
};

bool IsNumeric(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return !field.is_repeated();
    default:
      return false;
  }
}

absl::StatusOr<std::optional<Relative>> ParseRelative(const YamlTree& tree,
                                                      const FieldDescriptor& field) {
  const YamlNode& node = tree.Get(0);
  if (!IsNumeric(field) || node.kind != YamlNode::Kind::kScalar || node.scalar.size() < 2 ||
      (node.scalar[0] != 'x' && node.scalar[0] != '/')) {
    return std::optional<Relative>();
  }
  const auto number = ParseReal(node.scalar.substr(1), Units::kNone);
  const bool divides = node.scalar[0] == '/';
  if (!number.ok() || !std::isfinite(*number) || *number < 0 || (divides && *number == 0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected x and a number, as x2 or x0.5, or / and a number above 0, as /8; got ",
        Quote(node.scalar)));
  }
  return std::optional(Relative{*number, divides});
}

double RealOf(const Message& message, const FieldDescriptor& field) {
  const Reflection& r = *message.GetReflection();
  return field.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT ? r.GetFloat(message, &field)
                                                            : r.GetDouble(message, &field);
}

int64_t IntegerOf(const Message& message, const FieldDescriptor& field) {
  const Reflection& r = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return r.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return r.GetUInt32(message, &field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return static_cast<int64_t>(r.GetUInt64(message, &field));
    default:
      return r.GetInt64(message, &field);
  }
}

// The number that is meant, as text in the field's base unit.
absl::StatusOr<std::string> Scaled(const Message& from, const FieldDescriptor& field,
                                   const Relative& relative) {
  const bool real = field.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT ||
                    field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE;
  const double value = real ? RealOf(from, field) : static_cast<double>(IntegerOf(from, field));
  const double scaled = relative.divides ? value / relative.number : value * relative.number;
  if (real) return FormatReal(scaled, Units::kNone);
  // Bytes and times are rounded, as they are when they are written with a unit.
  const double whole = std::nearbyint(scaled);
  if (whole != scaled && UnitsOfField(field.name()) == Units::kNone) {
    return absl::InvalidArgumentError(
        absl::StrCat(FormatReal(value, Units::kNone), relative.divides ? " / " : " x ",
                     FormatReal(relative.number, Units::kNone), " is ",
                     FormatReal(scaled, Units::kNone), ", which is not a whole number"));
  }
  if (!(std::abs(whole) < 9e18)) return absl::InvalidArgumentError("is too large");
  return absl::StrCat(static_cast<int64_t>(whole));
}

// The message in `base` at the same place, or null.
const Message* Follow(const std::vector<std::string>& parts, const Message* base) {
  for (size_t i = 0; base != nullptr && i + 1 < parts.size(); ++i) {
    const auto step = ParseStep(parts[i]);
    if (!step.ok()) return nullptr;
    const FieldDescriptor* field = base->GetDescriptor()->FindFieldByName(step->name);
    if (field == nullptr || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return nullptr;
    const Reflection& reflection = *base->GetReflection();
    if (!field->is_repeated()) {
      base = reflection.HasField(*base, field) ? &reflection.GetMessage(*base, field) : nullptr;
    } else if (step->index && *step->index < reflection.FieldSize(*base, field)) {
      base = &reflection.GetRepeatedMessage(*base, field, *step->index);
    } else {
      return nullptr;
    }
  }
  return base;
}

// Replaces a relative number in the tree by the number it means.
absl::Status ResolveRelative(const Message& message, const Message* base,
                             const FieldDescriptor& field, YamlTree* tree) {
  const auto relative = ParseRelative(*tree, field);
  if (!relative.ok()) return relative.status();
  if (!*relative) return absl::OkStatus();
  const Message* from = message.GetReflection()->HasField(message, &field) ? &message : base;
  if (from == nullptr || !from->GetReflection()->HasField(*from, &field)) {
    return absl::FailedPreconditionError(
        absl::StrCat("is not in the spec, so ", Quote(tree->Get(0).scalar),
                     " of it is not known: write the number itself"));
  }
  const auto text = Scaled(*from, field, **relative);
  if (!text.ok()) return text.status();
  tree->nodes[0].scalar = *text;
  return absl::OkStatus();
}

// A flow map as people type it, {min:1,max:2}, with the blanks that YAML wants behind the colons.
std::string SpaceColons(std::string_view text) {
  std::string spaced;
  std::string open;     // brackets
  char quote = 0;       // that is open
  bool in_key = false;  // since { or a comma in it, only a name
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    spaced += c;
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_key = false;
    } else if (c == '{' || c == '[') {
      open += c;
      in_key = c == '{';
    } else if (c == '}' || c == ']') {
      if (!open.empty()) open.pop_back();
      in_key = false;
    } else if (c == ',') {
      in_key = !open.empty() && open.back() == '{';
    } else if (c == ':' && in_key) {
      spaced += ' ';
      in_key = false;
    } else if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != ' ') {
      in_key = false;
    }
  }
  return spaced;
}

absl::Status SetLeaf(YamlTree* tree, std::string_view path, const Step& step, const Message* base,
                     Message* message) {
  const auto found = FindField(*message->GetDescriptor(), step);
  if (!found.ok()) return found.status();
  const FieldDescriptor& field = **found;
  if (absl::Status status = ResolveRelative(*message, base, field, tree); !status.ok()) {
    return status;
  }
  ClearRivals(field, message);
  const std::string file;
  YamlReader reader(*tree, file, nullptr);
  if (step.index) {
    absl::Status status = CheckIndex(*message, field, *step.index);
    if (!status.ok()) return status;
    reader.AddElement(0, field, message, std::string(path));
    if (reader.errors().empty()) MoveLastTo(*step.index, field, message);
  } else {
    message->GetReflection()->ClearField(message, &field);
    reader.ReadValue(0, field, message, std::string(path));
  }
  if (reader.errors().empty()) return absl::OkStatus();
  const YamlError& error = reader.errors().front();
  const std::string inner = error.field.substr(std::min(error.field.size(), path.size()));
  return absl::InvalidArgumentError(
      inner.empty() ? error.message
                    : absl::StrCat(inner.substr(inner.front() == '.'), ": ", error.message));
}

// Sets one key of a map, which may be new.
absl::Status SetEntry(YamlTree* tree, std::string_view path, const FieldDescriptor& map,
                      const std::string& key, const Message* base, Message* message) {
  if (key.empty()) return absl::InvalidArgumentError(absl::StrCat(map.name(), " has no empty key"));
  const Reflection* reflection = message->GetReflection();
  const int in_base = base == nullptr ? -1 : EntryIndex(*base, map, key);
  const Message* base_entry =
      in_base < 0 ? nullptr : &base->GetReflection()->GetRepeatedMessage(*base, &map, in_base);
  const int at = EntryIndex(*message, map, key);
  const bool is_new = at < 0;
  Message* entry = is_new ? reflection->AddMessage(message, &map)
                          : reflection->MutableRepeatedMessage(message, &map, at);
  if (is_new) entry->GetReflection()->SetString(entry, map.message_type()->map_key(), key);
  return SetLeaf(tree, path, {map.message_type()->map_value()->name(), std::nullopt}, base_entry,
                 entry);
}

}  // namespace

absl::Status SetField(std::string_view path, std::string_view value, Message* message,
                      const Message* base, std::string* canonical) {
  YamlTree tree;
  int line = 0;
  if (absl::Status status = ParseYamlTree(SpaceColons(value), &tree, &line); !status.ok()) {
    return At(path, status);
  }
  if (tree.nodes.empty()) tree.nodes.emplace_back();  // no text: null
  // Changed on a copy, so that an error changes nothing.
  const std::unique_ptr<Message> copy(message->New());
  copy->CopyFrom(*message);
  Message* at = copy.get();
  std::vector<std::string> parts = absl::StrSplit(absl::string_view(path.data(), path.size()), '.');
  for (size_t i = 0;; ++i) {
    if (absl::Status status = ReplaceName(*at, i, &parts); !status.ok()) return At(path, status);
    const auto step = ParseStep(parts[i]);
    if (!step.ok()) return At(path, step.status());
    if (i + 1 == parts.size()) {
      absl::Status status = SetLeaf(&tree, path, *step, Follow(parts, base), at);
      if (!status.ok()) return At(path, status);
      break;
    }
    if (const FieldDescriptor* map = TextMap(*at, *step)) {
      const auto key = parts.begin() + static_cast<std::ptrdiff_t>(i) + 1;
      const Message* holder = Follow({parts.begin(), key}, base);
      absl::Status status =
          SetEntry(&tree, path, *map, absl::StrJoin(key, parts.end(), "."), holder, at);
      if (!status.ok()) return At(path, status);
      break;
    }
    const auto next = Descend(at, *step);
    if (!next.ok()) return At(path, next.status());
    at = *next;
  }
  if (canonical != nullptr) *canonical = absl::StrJoin(parts, ".");
  message->GetReflection()->Swap(message, copy.get());
  return absl::OkStatus();
}

}  // namespace tokensim
