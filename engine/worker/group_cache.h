// The prefix cache of a worker whose layers do not all keep every token: what of the blocks of a
// BlockLayout can be found, as vLLM's hybrid KV cache manager does it
// (vllm/v1/core/kv_cache_coordinator.py, single_type_kv_cache_manager.py).
//
// Every group of layers has blocks of its own, found under a hash of its own. The first n tokens of
// a prompt are there if each group has what it keeps of n tokens: groups of full attention all
// blocks, a window those with its last W - 1 tokens, a chunked one those of the chunk that n is in.
// So a prompt may begin much later than its text agrees with others. n is a whole number of blocks
// of every group, and the largest such is taken.
//
// A block is findable from the time that its prompt is scheduled, and stays so when a window moves
// on: it is free then, at the tail of the queue, until it is reused. Two blocks that move on together
// go in the order last to first; decodes in the order in which they began. What a decode computes and
// gives up before its stay ends is not offered, as nothing but the end of a text is continued.
//
// Find costs a hash look-up for each block of a prompt, and as many again for windows; what moves on
// costs O(1) a block. Layouts have no states.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "engine/memory/block_hash.h"
#include "engine/memory/block_layout.h"
#include "engine/memory/block_pool.h"
#include "engine/memory/prefix_cache.h"
#include "engine/worker/live_request.h"

namespace tokensim {

// Of block `block` of the request; 0: nobody else can have it. Of outputs, only a conversation's
// are known.
[[nodiscard]] uint64_t FindableHash(const LiveRequest& r, int64_t block, int32_t block_size);

class GroupCache {
 public:
  // `common`: tokens; a whole number of blocks of every group.
  GroupCache(const BlockLayout& layout, int32_t common);

  // Tokens of the request's prompt, `most` at most, that are there; with `hits` and `window_hits`,
  // neither or both, their blocks are appended.
  [[nodiscard]] int32_t Find(const PrefixCache& cache, const LiveRequest& r, int32_t most,
                             std::vector<BlockId>* hits,
                             std::vector<WindowBlock>* window_hits) const;
  // The full blocks among its first `tokens` that it holds can be found from now on.
  void Register(PrefixCache* cache, LiveRequest* r, int32_t tokens) const;

  // A prompt with `computed` tokens in the cache gives up so many blocks.
  static void GiveUp(LiveRequest* r, int32_t computed, int64_t blocks, BlockPool* pool);
  // It decodes from the next iteration on; its address stays.
  void BeginDecode(LiveRequest* r);
  // An iteration with decodes ended, in which they give up so many blocks.
  void EndDecodeIteration(int64_t blocks, BlockPool* pool);

  void Clear();

 private:
  // A decode that gives up findable blocks.
  struct Leaving {
    int64_t stay = 0;  // of the request; greater if it began later
    LiveRequest* request = nullptr;
    int32_t tokens = 0;  // that it has in the cache then
  };
  struct Group {
    BlockGroup shape;
    int32_t first = 0;  // number of its first instance
  };

  [[nodiscard]] static bool Has(const PrefixCache& cache, const LiveRequest& r, const Group& group,
                                int64_t block);
  // The tokens, `length` at most, before the first block that a full group does not have.
  [[nodiscard]] static int64_t Run(const PrefixCache& cache, const LiveRequest& r,
                                   const Group& group, int64_t length);
  // Schedules the next block that leaves. `tokens` are in the cache now.
  void Schedule(LiveRequest* r, int32_t tokens);

  std::vector<Group> groups_;
  int32_t common_;
  int64_t iteration_ = 0;  // that ended
  int64_t stays_ = 0;
  std::map<int64_t, std::vector<Leaving>> leaving_;  // by iteration at whose end they do
};

}  // namespace tokensim
