// Which groups of layers share KV blocks, and how large a block is: vLLM's hybrid KV cache manager.
//
//   const BlockLayoutConfig config = ShapeBlocks(
//       {{.layers = 18, .token_bytes = 2'048}, {.layers = 18, .token_bytes = 2'048, .window = 128}},
//       {.block_size = 16});
//   // gpt-oss-120b: two groups of 18 layers, blocks of 589,824 bytes
//
// As vllm/v1/core/kv_cache_utils.py (get_kv_cache_groups) and, for states, platforms/interface.py
// (_align_hybrid_block_size), of vLLM 0.23:
//
//   page    of one layer: token_bytes x tokens of a block. All are made as large as the largest: a
//           smaller one gets more tokens by the ratio, where that is whole, else it is padded.
//   states  the blocks of attention are enlarged to block_step x ceil(state / (block_step x
//           token_bytes)) tokens, of the largest state and entry, so that a state fits in a page; it
//           is padded to the page.
//   groups  of g layers each, g the fewest layers of any kind, unless the most are less than 1.5
//           times that: then the most. A kind has ceil(layers / g) groups; the last one is padded.
//   block   page x g bytes, from one pool for all groups.
//
// Layers that keep entries of several tokens beyond their window (DeepSeek V4) are shaped otherwise:
// all of those entries, with whatever else keeps every token, are one group with blocks of 256
// tokens; their windows, with blocks of 64, are dealt to as many groups as the former is smaller,
// rounded up; a block is as large as the largest group of either kind. That is how vLLM lays them
// over each other; the number of groups is derived from it.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/memory/block_layout.h"

namespace tokensim {

// Layers that keep alike; each kind once.
struct KvLayers {
  int32_t layers = 0;       // of the model, all stages, >= 1
  int64_t token_bytes = 0;  // of one layer on one device; 0 with a state
  int32_t window = 0;       // as BlockGroup
  bool chunked = false;
  int64_t state_bytes = 0;  // of one layer on one device; above 0: a state and no tokens
  // Above 0: entries of several tokens; of one token, of one layer on one device. The windows that
  // the same layers have are a kind of their own.
  double compressed_bytes = 0;

  bool operator==(const KvLayers&) const = default;
};

struct BlockShapeConfig {
  int32_t block_size = 16;   // tokens, of the kind with the largest entries, unless enlarged
  int32_t block_step = 16;   // enlarged sizes are multiples of it; 128 for latent attention
  int32_t state_blocks = 1;  // that a request holds of a group with states
  int64_t devices = 1;       // that share each layer; all hold as much
  int64_t largest_chunk = 0;
};

// `kinds`: not empty.
[[nodiscard]] BlockLayoutConfig ShapeBlocks(const std::vector<KvLayers>& kinds,
                                            const BlockShapeConfig& config);

// Tokens to which prefix lengths are rounded: a whole number of blocks of every group.
[[nodiscard]] int64_t CommonBlockSize(const BlockLayoutConfig& layout);

}  // namespace tokensim
