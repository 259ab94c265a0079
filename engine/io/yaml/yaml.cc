#include "engine/io/yaml/yaml.h"

#include "absl/strings/str_cat.h"
#include "engine/io/yaml/yaml_reader.h"
#include "engine/io/yaml/yaml_tree.h"

namespace tokensim {

std::string YamlError::ToString() const {
  std::string text = file;
  if (line > 0) absl::StrAppend(&text, ":", line);
  absl::StrAppend(&text, ": ");
  if (!field.empty()) absl::StrAppend(&text, field, ": ");
  absl::StrAppend(&text, message);
  return text;
}

std::vector<YamlError> ParseYaml(std::string_view text, const std::string& file,
                                 google::protobuf::Message* message, FieldLines* lines) {
  message->Clear();
  if (lines != nullptr) lines->clear();
  YamlTree tree;
  int line = 0;
  if (absl::Status status = ParseYamlTree(text, &tree, &line); !status.ok()) {
    return {{file, line, "", std::string(status.message()), {""}}};
  }
  YamlReader reader(tree, file, lines);
  reader.ReadDocument(message);
  return std::move(reader.errors());
}

}  // namespace tokensim
