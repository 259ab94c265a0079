// Reads a YAML tree into a message, guided by its descriptor. Internal to engine/io.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/yaml/yaml.h"
#include "engine/io/yaml/yaml_tree.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace tokensim {

class YamlReader {
 public:
  // `lines` may be null.
  YamlReader(const YamlTree& tree, const std::string& file, FieldLines* lines)
      : tree_(tree), file_(file), lines_(lines) {}

  void ReadDocument(google::protobuf::Message* message);
  // Sets one field of `message`; `path` is its path in messages.
  void ReadValue(uint32_t node, const google::protobuf::FieldDescriptor& field,
                 google::protobuf::Message* message, const std::string& path);
  // One more element of a repeated field.
  void AddElement(uint32_t node, const google::protobuf::FieldDescriptor& field,
                  google::protobuf::Message* message, const std::string& path);

  [[nodiscard]] std::vector<YamlError>& errors() { return errors_; }

 private:
  void ReadMessage(uint32_t node, google::protobuf::Message* message, const std::string& path);
  void ReadFields(const YamlNode& map, google::protobuf::Message* message, const std::string& path);
  void ReadList(const YamlNode& node, const google::protobuf::FieldDescriptor& field,
                google::protobuf::Message* message, const std::string& path);
  void ReadMap(const YamlNode& node, const google::protobuf::FieldDescriptor& field,
               google::protobuf::Message* message, const std::string& path);
  void ReadScalar(const YamlNode& node, const google::protobuf::FieldDescriptor& field,
                  google::protobuf::Message* message, const std::string& path);
  void ReadEnum(const YamlNode& node, const google::protobuf::FieldDescriptor& field,
                google::protobuf::Message* message, const std::string& path);
  // Counts a value read; false when too many were, aliases expanded.
  bool Count(const YamlNode& node, const std::string& path);
  [[nodiscard]] bool full() const;
  // What was at the path is not in the message.
  void Error(int line, const std::string& path, std::string message) {
    Error(line, path, std::move(message), {path});
  }
  void Error(int line, const std::string& path, std::string message,
             std::vector<std::string> unread);
  void Unknown(const YamlNode& key, const google::protobuf::Descriptor& type,
               const std::string& path);

  const YamlTree& tree_;
  const std::string& file_;
  FieldLines* lines_;
  int64_t values_ = 0;
  bool exhausted_ = false;
  std::vector<YamlError> errors_;
};

}  // namespace tokensim
