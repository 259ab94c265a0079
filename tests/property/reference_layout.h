// The blocks of a request on a worker of the reference simulator, block by block: what
// engine/memory/block_layout.h documents, in loops.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/run/plan.h"

namespace tokensim {

// What it holds while the tokens from `from` on are computed, up to `to`; with `from` = `to`, what
// it holds in between.
[[nodiscard]] int64_t BlocksInStep(const WorkerPlan& plan, int64_t from, int64_t to);
// What there must be for it to come from `from` tokens to `to`.
[[nodiscard]] int64_t BlocksToReach(const WorkerPlan& plan, int64_t from, int64_t to);
// The most tokens of one request.
[[nodiscard]] int64_t MostTokens(const WorkerPlan& plan);
// Of its KV cache, to be sent; of a block.
[[nodiscard]] int64_t CacheBytes(const WorkerPlan& plan, int64_t tokens);
[[nodiscard]] int64_t BlockBytes(const WorkerPlan& plan);
// A kind of blocks that layers have.
struct ReferenceGroup {
  int64_t group = 0;  // number, beginning with 0
  BlockGroup shape;   // a count of 1
};
// Those that keep tokens; one without a layout.
[[nodiscard]] std::vector<ReferenceGroup> GroupsOf(const WorkerPlan& plan);
// Whether it keeps the block, with so many tokens in the cache.
[[nodiscard]] bool Keeps(const BlockGroup& group, int64_t block, int64_t tokens);
// The tokens that the one at `position` attends to, itself included.
[[nodiscard]] int64_t Attended(const AttentionWindow& window, int64_t position);

}  // namespace tokensim
