// The fields of a Hugging Face config.json. Internal to engine/io/model_config.
//
//   ConfigReader config(json);
//   const int32_t layers = config.Need({"num_hidden_layers", "n_layer"});
//   if (!config.status().ok()) ...
//
// Fields of the text part (text_config and its like) come before those around it; null counts as
// absent. What is missing or no good is remembered: status() names all of it, and readers get a
// number that does no harm. A number is a size: 0 .. 2^31 - 1.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace tokensim {

class ConfigReader {
 public:
  explicit ConfigReader(const nlohmann::json& config);

  // Of the text part.
  [[nodiscard]] std::string model_type() const { return Text("model_type"); }
  // "architectures" of the whole, joined by a comma.
  [[nodiscard]] std::string architectures() const;

  [[nodiscard]] bool Has(std::string_view name) const { return Find(name) != nullptr; }
  [[nodiscard]] bool IsList(std::string_view name) const;
  // The first of the names that is there, at least 1.
  int32_t Need(std::initializer_list<std::string_view> names);
  int32_t Need(std::string_view name) { return Need({name}); }
  // `otherwise` when none is there.
  int32_t Get(std::initializer_list<std::string_view> names, int32_t otherwise);
  int32_t Get(std::string_view name, int32_t otherwise) { return Get({name}, otherwise); }
  [[nodiscard]] bool Flag(std::string_view name, bool otherwise);
  // Empty when it is absent or no text.
  [[nodiscard]] std::string Text(std::string_view name) const;
  // One entry for each of `count` layers; empty when the list is absent.
  std::vector<std::string> Texts(std::string_view name, int32_t count);
  std::vector<int32_t> Numbers(std::string_view name, int32_t count);
  // Any number of them.
  std::vector<int32_t> Numbers(std::string_view name);
  // Null when it is absent or no object.
  [[nodiscard]] const nlohmann::json* Object(std::string_view name) const;
  [[nodiscard]] const nlohmann::json* Array(std::string_view name) const;

  void Problem(std::string text);
  [[nodiscard]] absl::Status status() const;

 private:
  [[nodiscard]] const nlohmann::json* Find(std::string_view name) const;
  int32_t Number(const nlohmann::json& value, std::string_view name);

  const nlohmann::json* top_;
  const nlohmann::json* text_;
  std::vector<std::string> problems_;
};

}  // namespace tokensim
