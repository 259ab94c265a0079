// How many KV blocks a request holds on a worker whose layers do not all keep the same.
//
//   const BlockLayout layout({.groups = {{.block_size = 16, .token_bytes = 36'864},
//                                        {.block_size = 16, .window = 128, .token_bytes = 36'864}},
//                             .block_bytes = 589'824,
//                             .largest_chunk = 8'192});                        // gpt-oss-120b
//   layout.Held(4'000);              // 250 + 9: what a request with 4,000 tokens in the cache holds
//   layout.ToAdd(4'000, 4'001);      // 1 + 1: to compute one more
//   layout.ToGiveUp(4'000, 4'001);   // 0: what left a window when it is computed
//
// Layers are in groups that keep alike, each with blocks of its own; all groups take blocks, of one
// size in bytes, from one pool. As vLLM's hybrid KV cache manager (vllm/v1/core/kv_cache_utils.py,
// single_type_kv_cache_manager.py), a group of a request with n tokens holds, with blocks of s:
//
//   full      ceil(n / s)
//   window    ceil(n / s) - floor(max(0, n - W + 1) / s): the last W - 1 tokens are for the next
//             one, and their blocks, where they are not whole in the window, too
//   chunked   ceil(n / s) - floor(n / C) * C / s: a window that starts anew every C tokens
//   state     a constant, if n > 0
//
// While the tokens from n on are computed, up to m, it holds what m tokens need beside what n have:
// InStep. What left the window is given up when they are computed, before anything else is
// allocated; vLLM does it when the same request is allocated its next blocks, which differs only
// while a request is not in a batch. With batches formed ahead that is when the next is formed.
//
// Tokens >= 0. Sums exact below 2^53; nothing fails.
#pragma once

#include <cstdint>
#include <vector>

namespace tokensim {

struct BlockGroup {
  int32_t count = 1;        // groups that are alike, >= 1
  int32_t block_size = 16;  // tokens, >= 1
  int32_t window = 0;       // last tokens that a token attends to, itself included; 0: all
  bool chunked = false;  // the window starts anew every `window` tokens, a multiple of block_size
  int64_t token_bytes = 0;  // of all its layers over all devices, of all `count` groups
  // Blocks of a request whatever its length; above 0 the group keeps a state and no tokens.
  int32_t state_blocks = 0;
  int64_t state_bytes = 0;

  bool operator==(const BlockGroup&) const = default;
};

struct BlockLayoutConfig {
  // At least one keeps every token, a state, or a window of two tokens or more that is not chunked:
  // so who has tokens has blocks.
  std::vector<BlockGroup> groups;
  int64_t block_bytes = 0;    // over all devices, what pads a group included
  int64_t largest_chunk = 0;  // tokens of a prompt computed at once; 0: the whole of it
};

// The first token that the one after `tokens` attends to. Of groups that keep tokens.
[[nodiscard]] int64_t FirstKept(const BlockGroup& group, int64_t tokens);
// The tokens in the cache when a block is given up: the fewest whose FirstKept is behind the block.
// Of windows.
[[nodiscard]] int64_t TokensWhenGivenUp(const BlockGroup& group, int64_t block);

class BlockLayout {
 public:
  explicit BlockLayout(BlockLayoutConfig config);

  [[nodiscard]] const BlockLayoutConfig& config() const { return config_; }
  // Those that keep tokens.
  [[nodiscard]] const std::vector<BlockGroup>& groups() const { return groups_; }
  [[nodiscard]] int64_t block_bytes() const { return config_.block_bytes; }

  [[nodiscard]] int64_t Held(int64_t tokens) const { return InStep(tokens, tokens); }
  // While the tokens from `from` on are computed, up to `to`.
  [[nodiscard]] int64_t InStep(int64_t from, int64_t to) const;
  [[nodiscard]] int64_t ToAdd(int64_t from, int64_t to) const {
    return InStep(from, to) - Held(from);
  }
  [[nodiscard]] int64_t ToGiveUp(int64_t from, int64_t to) const {
    return InStep(from, to) - Held(to);
  }
  // The most that it holds on the way from `from` tokens to `to`, in chunks of largest_chunk at
  // most: of a window, what that spans with a chunk.
  [[nodiscard]] int64_t ToReach(int64_t from, int64_t to) const;
  // The most tokens, up to `limit`, that a request can have in so many blocks.
  [[nodiscard]] int64_t MostTokens(int64_t blocks, int64_t limit) const;
  // What is sent of a request with so many tokens: what its windows hold of them, and its states.
  [[nodiscard]] int64_t Bytes(int64_t tokens) const;

 private:
  BlockLayoutConfig config_;
  std::vector<BlockGroup> groups_;
  int64_t state_blocks_ = 0;  // of a request
  int64_t state_bytes_ = 0;
};

}  // namespace tokensim
