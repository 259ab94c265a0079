#include <charconv>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "engine/base/nearest.h"
#include "engine/io/yaml/field_names.h"
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

// The message that a step in the middle of a path leads to.
absl::StatusOr<Message*> Descend(Message* message, const Step& step) {
  const auto field = FindField(*message->GetDescriptor(), step);
  if (!field.ok()) return field.status();
  if ((*field)->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || (*field)->is_map()) {
    return absl::InvalidArgumentError(absl::StrCat(step.name, " has no fields"));
  }
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

// Makes the element appended last the one at `index`.
void MoveLastTo(int index, const FieldDescriptor& field, Message* message) {
  const Reflection* reflection = message->GetReflection();
  const int last = reflection->FieldSize(*message, &field) - 1;
  if (index == last) return;
  reflection->SwapElements(message, &field, index, last);
  reflection->RemoveLast(message, &field);
}

absl::Status At(std::string_view path, const absl::Status& status) {
  return absl::InvalidArgumentError(
      absl::StrCat(std::string(path), ": ", std::string(status.message())));
}

absl::Status SetLeaf(const YamlTree& tree, std::string_view path, const Step& step,
                     Message* message) {
  const auto found = FindField(*message->GetDescriptor(), step);
  if (!found.ok()) return At(path, found.status());
  const FieldDescriptor& field = **found;
  const std::string file;
  YamlReader reader(tree, file, nullptr);
  if (step.index) {
    absl::Status status = CheckIndex(*message, field, *step.index);
    if (!status.ok()) return At(path, status);
    reader.AddElement(0, field, message, std::string(path));
    if (reader.errors().empty()) MoveLastTo(*step.index, field, message);
  } else {
    message->GetReflection()->ClearField(message, &field);
    reader.ReadValue(0, field, message, std::string(path));
  }
  if (reader.errors().empty()) return absl::OkStatus();
  const YamlError& error = reader.errors().front();
  return absl::InvalidArgumentError(absl::StrCat(error.field, ": ", error.message));
}

}  // namespace

absl::Status SetField(std::string_view path, std::string_view value, Message* message) {
  YamlTree tree;
  int line = 0;
  if (absl::Status status = ParseYamlTree(value, &tree, &line); !status.ok()) {
    return At(path, status);
  }
  if (tree.nodes.empty()) tree.nodes.emplace_back();  // no text: null
  // Changed on a copy, so that an error changes nothing.
  const std::unique_ptr<Message> copy(message->New());
  copy->CopyFrom(*message);
  Message* at = copy.get();
  const std::vector<std::string> parts =
      absl::StrSplit(absl::string_view(path.data(), path.size()), '.');
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    const auto step = ParseStep(parts[i]);
    if (!step.ok()) return At(path, step.status());
    const auto next = Descend(at, *step);
    if (!next.ok()) return At(path, next.status());
    at = *next;
  }
  const auto last = ParseStep(parts.back());
  if (!last.ok()) return At(path, last.status());
  if (absl::Status status = SetLeaf(tree, path, *last, at); !status.ok()) return status;
  message->GetReflection()->Swap(message, copy.get());
  return absl::OkStatus();
}

}  // namespace tokensim
