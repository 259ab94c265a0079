#include "tests/property/reference_layout.h"

#include <algorithm>
#include <utility>

namespace tokensim {
namespace {

int64_t CeilOf(int64_t tokens, int64_t size) { return (tokens + size - 1) / size; }

int64_t BlocksOfGroup(const BlockGroup& group, int64_t from, int64_t to) {
  if (group.state_blocks > 0) return to > 0 ? group.state_blocks : 0;
  const int64_t first =
      group.window == 0 ? 0 : from + 1 - Attended({group.window, group.chunked}, from);
  int64_t blocks = 0;
  for (int64_t begin = 0; begin < to; begin += group.block_size) {
    blocks += begin + group.block_size > first;  // its last token, computed or not, is needed
  }
  return blocks;
}

}  // namespace

int64_t Attended(const AttentionWindow& window, int64_t position) {
  if (window.chunked) return position % window.tokens + 1;
  return std::min<int64_t>(position + 1, window.tokens);
}

std::vector<ReferenceGroup> GroupsOf(const WorkerPlan& plan) {
  std::vector<ReferenceGroup> groups;
  const BlockGroup plain{.block_size = plan.block_size};
  const auto shapes = plan.layout == nullptr ? std::vector{plain} : plan.layout->config().groups;
  for (BlockGroup shape : shapes) {
    const int32_t count = std::exchange(shape.count, 1);
    for (int32_t i = 0; i < count; ++i) {
      groups.push_back({static_cast<int64_t>(groups.size()), shape});
    }
  }
  return groups;
}

bool Keeps(const BlockGroup& group, int64_t block, int64_t tokens) {
  const int64_t begin = block * group.block_size;
  if (begin >= tokens) return false;
  if (group.window == 0) return true;
  const int64_t first = tokens + 1 - Attended({group.window, group.chunked}, tokens);
  return begin + group.block_size > first;
}

int64_t BlocksInStep(const WorkerPlan& plan, int64_t from, int64_t to) {
  if (plan.layout == nullptr) return CeilOf(to, plan.block_size);
  int64_t blocks = 0;
  for (const BlockGroup& group : plan.layout->config().groups) {
    blocks += group.count * BlocksOfGroup(group, from, to);
  }
  return blocks;
}

int64_t BlocksToReach(const WorkerPlan& plan, int64_t from, int64_t to) {
  if (plan.layout == nullptr) return CeilOf(to, plan.block_size);
  const BlockLayoutConfig& config = plan.layout->config();
  int64_t blocks = 0;
  for (const BlockGroup& group : config.groups) {
    int64_t most = BlocksOfGroup(group, from, to);
    if (group.window > 0 && config.largest_chunk > 0) {
      const int64_t span = group.window + config.largest_chunk;
      const int64_t cap =
          group.chunked ? CeilOf(span, group.block_size) : CeilOf(span - 1, group.block_size) + 1;
      most = std::min(most, cap);
    }
    blocks += group.count * most;
  }
  return blocks;
}

int64_t MostTokens(const WorkerPlan& plan) {
  if (plan.layout == nullptr) return plan.kv_blocks * plan.block_size;
  int64_t tokens = 0;
  while (tokens < plan.max_model_len && BlocksToReach(plan, 0, tokens + 1) <= plan.kv_blocks) {
    ++tokens;
  }
  return tokens;
}

int64_t CacheBytes(const WorkerPlan& plan, int64_t tokens) {
  if (plan.layout == nullptr) return tokens * plan.kv_bytes_per_token;
  int64_t bytes = 0;
  for (const BlockGroup& group : plan.layout->config().groups) {
    const AttentionWindow window = {group.window, group.chunked};
    const int64_t kept = group.window == 0 ? tokens : Attended(window, tokens) - 1;
    bytes += group.token_bytes * kept + (tokens > 0 ? group.state_bytes : 0);
  }
  return bytes;
}

int64_t BlockBytes(const WorkerPlan& plan) {
  if (plan.layout != nullptr) return plan.layout->config().block_bytes;
  return plan.block_size * plan.kv_bytes_per_token;
}

}  // namespace tokensim
