#include "engine/memory/block_shape.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tokensim {
namespace {

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t LayersPerGroup(const std::vector<KvLayers>& kinds) {
  const auto fewer = [](const KvLayers& a, const KvLayers& b) { return a.layers < b.layers; };
  const auto [fewest, most] = std::minmax_element(kinds.begin(), kinds.end(), fewer);
  return 2 * int64_t{most->layers} < 3 * int64_t{fewest->layers} ? most->layers : fewest->layers;
}

// Of layers with entries of several tokens: what stays of all tokens in one group, windows beside.
BlockLayoutConfig ShapeCompressed(const std::vector<KvLayers>& kinds,
                                  const BlockShapeConfig& config) {
  constexpr int32_t kCompressedBlock = 256;
  constexpr int32_t kWindowBlock = 64;
  double kept = 0;  // of one token, of all layers on one device
  int64_t windows = 0;
  for (const KvLayers& kind : kinds) {
    kept += kind.layers * kind.compressed_bytes;
    const int64_t tokens = kind.layers * kind.token_bytes;
    kind.window > 0 ? windows += tokens : kept += static_cast<double>(tokens);
  }
  const auto block = static_cast<int64_t>(std::ceil(kept * kCompressedBlock));
  const int64_t groups = std::max<int64_t>(1, CeilDivide(windows * kWindowBlock, block));
  BlockLayoutConfig layout{.largest_chunk = config.largest_chunk};
  layout.groups.push_back({.block_size = kCompressedBlock,
                           .token_bytes = static_cast<int64_t>(std::ceil(kept)) * config.devices});
  int64_t largest = block;
  for (const KvLayers& kind : kinds) {
    if (kind.window == 0 && kind.state_bytes == 0) continue;
    const int64_t per_group = CeilDivide(kind.layers, groups);
    BlockGroup group{.count = static_cast<int32_t>(CeilDivide(kind.layers, per_group)),
                     .block_size = kWindowBlock,
                     .window = kind.window,
                     .chunked = kind.chunked};
    const int64_t layers = kind.layers * config.devices;
    if (kind.state_bytes > 0) {
      group.state_blocks = config.state_blocks;
      group.state_bytes = layers * kind.state_bytes;
      largest = std::max(largest, per_group * kind.state_bytes);
    } else {
      group.token_bytes = layers * kind.token_bytes;
      largest = std::max(largest, per_group * kind.token_bytes * kWindowBlock);
    }
    layout.groups.push_back(group);
  }
  layout.block_bytes = largest * config.devices;
  return layout;
}

}  // namespace

BlockLayoutConfig ShapeBlocks(const std::vector<KvLayers>& kinds, const BlockShapeConfig& config) {
  const auto compresses = [](const KvLayers& kind) { return kind.compressed_bytes > 0; };
  if (std::any_of(kinds.begin(), kinds.end(), compresses)) return ShapeCompressed(kinds, config);
  int64_t entry = 0;
  int64_t state = 0;
  for (const KvLayers& kind : kinds) {
    entry = std::max(entry, kind.token_bytes);
    state = std::max(state, kind.state_bytes);
  }
  int64_t block_size = config.block_size;
  if (state > 0 && entry > 0) {
    const int64_t step = config.block_step;
    block_size = std::max(block_size, step * CeilDivide(state, step * entry));
  }
  const int64_t page = entry > 0 ? entry * block_size : state;
  const int64_t per_group = LayersPerGroup(kinds);

  BlockLayoutConfig layout{.block_bytes = page * per_group * config.devices,
                           .largest_chunk = config.largest_chunk};
  for (const KvLayers& kind : kinds) {
    BlockGroup group{.count = static_cast<int32_t>(CeilDivide(kind.layers, per_group)),
                     .window = kind.window,
                     .chunked = kind.chunked};
    const int64_t layers = kind.layers * config.devices;
    if (kind.state_bytes > 0) {
      group.state_blocks = config.state_blocks;
      group.state_bytes = layers * kind.state_bytes;
    } else {
      const bool whole = entry % kind.token_bytes == 0;
      const int64_t times = whole ? entry / kind.token_bytes : 1;
      group.block_size = static_cast<int32_t>(block_size * times);
      group.token_bytes = layers * kind.token_bytes;
    }
    layout.groups.push_back(group);
  }
  return layout;
}

int64_t CommonBlockSize(const BlockLayoutConfig& layout) {
  int64_t common = 1;
  for (const BlockGroup& group : layout.groups) {
    if (group.state_blocks == 0) common = std::lcm(common, int64_t{group.block_size});
  }
  return common;
}

}  // namespace tokensim
