// Values in a JSON document that may be absent or of another type.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>

namespace tokensim::accuracy {

// The value at the keys, one within the other; null when it is not there.
[[nodiscard]] inline const nlohmann::json* ValueAt(const nlohmann::json& root,
                                                   std::initializer_list<const char*> keys) {
  const nlohmann::json* node = &root;
  for (const char* key : keys) {
    if (!node->is_object()) return nullptr;
    const auto found = node->find(key);
    if (found == node->end()) return nullptr;
    node = &*found;
  }
  return node;
}

[[nodiscard]] inline std::optional<double> NumberAt(const nlohmann::json& root,
                                                    std::initializer_list<const char*> keys) {
  const nlohmann::json* value = ValueAt(root, keys);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

// A list that is not there is empty.
[[nodiscard]] inline const nlohmann::json& ListAt(const nlohmann::json& root,
                                                  std::initializer_list<const char*> keys) {
  static const nlohmann::json kEmpty = nlohmann::json::array();
  const nlohmann::json* value = ValueAt(root, keys);
  return value == nullptr || !value->is_array() ? kEmpty : *value;
}

}  // namespace tokensim::accuracy
