#include "engine/memory/block_layout.h"

#include <algorithm>
#include <utility>

namespace tokensim {
namespace {

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t InStepOf(const BlockGroup& group, int64_t from, int64_t to) {
  return CeilDivide(to, group.block_size) - FirstKept(group, from) / group.block_size;
}

// vLLM's max_memory_usage_bytes of a window: it need not begin with a block.
int64_t CapOf(const BlockGroup& group, int64_t chunk) {
  if (group.chunked) return CeilDivide(group.window + chunk, group.block_size);
  return CeilDivide(group.window - 1 + chunk, group.block_size) + 1;
}

}  // namespace

int64_t FirstKept(const BlockGroup& group, int64_t tokens) {
  if (group.window == 0) return 0;
  if (group.chunked) return tokens / group.window * group.window;
  return std::max<int64_t>(0, tokens - group.window + 1);
}

int64_t TokensWhenGivenUp(const BlockGroup& group, int64_t block) {
  const int64_t end = (block + 1) * group.block_size;
  if (group.chunked) return CeilDivide(end, group.window) * group.window;
  return end + group.window - 1;
}

BlockLayout::BlockLayout(BlockLayoutConfig config) : config_(std::move(config)) {
  for (const BlockGroup& group : config_.groups) {
    state_blocks_ += int64_t{group.count} * group.state_blocks;
    state_bytes_ += group.state_bytes;
    if (group.state_blocks == 0) groups_.push_back(group);
  }
}

int64_t BlockLayout::InStep(int64_t from, int64_t to) const {
  int64_t blocks = to > 0 ? state_blocks_ : 0;
  for (const BlockGroup& group : groups_) blocks += group.count * InStepOf(group, from, to);
  return blocks;
}

int64_t BlockLayout::ToReach(int64_t from, int64_t to) const {
  int64_t blocks = to > 0 ? state_blocks_ : 0;
  for (const BlockGroup& group : groups_) {
    int64_t most = InStepOf(group, from, to);
    if (group.window > 0 && config_.largest_chunk > 0) {
      most = std::min(most, CapOf(group, config_.largest_chunk));
    }
    blocks += group.count * most;
  }
  return blocks;
}

int64_t BlockLayout::MostTokens(int64_t blocks, int64_t limit) const {
  int64_t fits = 0;
  int64_t beyond = limit + 1;
  while (beyond - fits > 1) {
    const int64_t middle = fits + (beyond - fits) / 2;
    (ToReach(0, middle) <= blocks ? fits : beyond) = middle;
  }
  return fits;
}

int64_t BlockLayout::Bytes(int64_t tokens) const {
  int64_t bytes = tokens > 0 ? state_bytes_ : 0;
  for (const BlockGroup& group : groups_) {
    bytes += group.token_bytes * (tokens - FirstKept(group, tokens));
  }
  return bytes;
}

}  // namespace tokensim
