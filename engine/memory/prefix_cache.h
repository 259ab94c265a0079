// KV blocks that can be found by their content: vLLM V1's automatic prefix caching
// (vllm/v1/core/block_pool.py, kv_cache_utils.py: FreeKVCacheBlockQueue).
//
// A block is held by requests (reference count above 0) or it is free. All free blocks stand in one
// queue. New blocks come from its front and lose their content; a block that nobody holds any more
// goes to its tail and stays findable until it comes to the front. A request gives its blocks back
// from the last to the first, so that a prefix outlives what follows it. A hit takes its block out
// of the middle of the queue. Since vLLM 0.23 blocks without content go to the front instead, and
// are reused before any that can be found.
//
//   PrefixCache cache(1000);
//   cache.Take(3);                              // three blocks for a prompt
//   const BlockId id = cache.Insert(hash);      // one of them is now findable
//   cache.Return(2), cache.Release(id);         // the request ends, the last block first
//   if (cache.Find(hash) != kNoBlock) cache.Acquire(cache.Find(hash));   // a hit
//
// Most blocks hold what nobody else will ask for. Such anonymous blocks are only counted: in the
// queue, neighbours form one run. Every operation is O(1), Take amortised over the blocks with
// content that it evicts.
//
// One difference: vLLM also finds a second block with content already present when the first one is
// evicted. Here the second stays anonymous.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/memory/hash_index.h"

namespace tokensim {

using BlockId = uint32_t;
inline constexpr BlockId kNoBlock = 0xffffffffU;

class PrefixCache {
 public:
  explicit PrefixCache(int64_t total_blocks, bool reuses_unfindable_first = false)
      : total_(total_blocks), reuses_unfindable_first_(reuses_unfindable_first) {
    Clear();
  }

  [[nodiscard]] int64_t total() const { return total_; }
  // Blocks nobody holds, with content or without.
  [[nodiscard]] int64_t free() const { return free_; }
  // Of them, those that still can be found.
  [[nodiscard]] int64_t cached_free() const { return cached_free_; }
  // Findable blocks, held or free.
  [[nodiscard]] int64_t cached() const { return static_cast<int64_t>(index_.size()); }

  // `blocks` anonymous blocks for the caller, from the front of the queue.
  void Take(int64_t blocks);
  // Anonymous blocks of the caller, to the tail of the queue, or to its front.
  void Return(int64_t blocks);

  [[nodiscard]] BlockId Find(uint64_t hash) const { return index_.Find(hash); }
  // Holders of a findable block. 0: it is free, and acquiring it takes one of free().
  [[nodiscard]] int32_t refs(BlockId id) const { return nodes_[id].refs; }
  void Acquire(BlockId id);
  // One anonymous block of the caller becomes findable, held once. kNoBlock when the hash (not 0)
  // is present: then the block stays anonymous.
  BlockId Insert(uint64_t hash);
  // Ends one hold. Without any left the block goes to the tail of the queue.
  void Release(BlockId id);

  // The worker failed: no content is left and every block is free. Ids given before are void.
  void Clear();

 private:
  static constexpr int32_t kRun = -1;

  // A findable block, or a run of anonymous ones in the queue.
  struct Node {
    uint64_t key = 0;         // hash of the block, length of the run
    BlockId prev = kNoBlock;  // in the queue
    BlockId next = kNoBlock;  // in the queue; of an unused node: the next unused one
    int32_t refs = 0;         // kRun: a run
  };

  BlockId NewNode(uint64_t key, int32_t refs);
  void DropNode(BlockId id);
  void Append(BlockId id);
  void Prepend(BlockId id);
  void Unlink(BlockId id);
  [[nodiscard]] bool IsRun(BlockId id) const { return id != kNoBlock && nodes_[id].refs == kRun; }

  int64_t total_;
  bool reuses_unfindable_first_;
  int64_t free_ = 0;
  int64_t cached_free_ = 0;
  HashIndex index_;  // hash -> node
  std::vector<Node> nodes_;
  BlockId unused_ = kNoBlock;
  BlockId head_ = kNoBlock;  // of the queue; two runs are never neighbours
  BlockId tail_ = kNoBlock;
};

}  // namespace tokensim
