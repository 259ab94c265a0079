// A YAML document as a flat tree, bounded in every direction.
//
// Built from yaml-cpp's parser events. Aliases stay aliases: a node names its target, and the
// reader counts what it expands. Internal to engine/io.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace tokensim {

struct YamlNode {
  enum class Kind : uint8_t { kNull, kScalar, kSequence, kMap, kAlias };
  Kind kind = Kind::kNull;
  int line = 0;                    // from 1
  uint32_t target = 0;             // kAlias: index of the node meant
  std::string scalar;              // kScalar
  std::vector<uint32_t> children;  // kSequence: items; kMap: key, value, key, value...
};

struct YamlTree {
  std::vector<YamlNode> nodes;  // the root is the first; empty: an empty document

  // The node at `index`, or what it is an alias of.
  [[nodiscard]] const YamlNode& Get(uint32_t index) const {
    const YamlNode& node = nodes[index];
    return node.kind == YamlNode::Kind::kAlias ? nodes[node.target] : node;
  }
};

inline constexpr size_t kMaxYamlBytes = size_t{64} << 20;
inline constexpr size_t kMaxYamlNodes = 5'000'000;
inline constexpr int kMaxYamlDepth = 64;

// INVALID_ARGUMENT with the reason; `line` then says where (0: nowhere).
[[nodiscard]] absl::Status ParseYamlTree(std::string_view text, YamlTree* tree, int* line);

}  // namespace tokensim
