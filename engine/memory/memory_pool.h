// The store that holds the KV caches of conversations between their turns, beside the workers
// (CachedAttention, ATC 2024; TokenSim's section IV-E).
//
// An entry is the KV cache of a conversation's first `tokens` tokens. The end of a turn puts it;
// the next turn finds it and fetches it instead of computing it again. When the pool is full, its
// eviction decides which entry makes room (eviction.h).
//
//   MemoryPool pool(config);
//   pool.Put(/*conversation=*/7, /*tokens=*/900, kv_bytes_per_token);
//   if (const int32_t tokens = pool.Find(7); tokens > 0) pool.Pin(7);   // ... fetch, then Unpin(7)
//
// How long a fetch takes is not decided here. Deterministic.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/hardware/topology.h"
#include "engine/memory/hash_index.h"

namespace tokensim {

// When a request gets what the pool has for it: before it is scheduled, beside the iterations of
// others; or at the beginning of its first iteration, which waits for it.
enum class PoolLoad : uint8_t { kAsync, kBlocking };

class Eviction;
class EvictionFactory;

struct MemoryPoolConfig {
  int64_t capacity_bytes = 0;  // below 2^62; 0: 2^62, as good as unlimited
  double fetch_latency_per_block_seconds = 0;
  std::optional<LinkConfig> link = {};  // shared by all fetches
  std::shared_ptr<const EvictionFactory> eviction;
  PoolLoad load = PoolLoad::kAsync;
};

class MemoryPool {
 public:
  explicit MemoryPool(const MemoryPoolConfig& config);
  ~MemoryPool();

  // Replaces the conversation's older entry and evicts others until the new one fits. What cannot
  // fit, for its size or for pinned entries, is not kept: then nothing changes, and the result is
  // false. tokens >= 1, bytes_per_token >= 0; their product is below 2^62.
  bool Put(int64_t conversation, int32_t tokens, int64_t bytes_per_token);
  // Tokens of the conversation that are kept; 0: none.
  int32_t Find(int64_t conversation);

  // An entry that is being fetched stays: it is not evicted, and an Erase waits for the last Unpin.
  void Pin(int64_t conversation);
  void Unpin(int64_t conversation);
  // The conversation is over. Nothing happens when it has no entry.
  void Erase(int64_t conversation);

  [[nodiscard]] int64_t used_bytes() const { return used_; }
  [[nodiscard]] int64_t max_used_bytes() const { return max_used_; }
  [[nodiscard]] int64_t entries() const { return static_cast<int64_t>(index_.size()); }
  [[nodiscard]] int64_t hits() const { return hits_; }
  [[nodiscard]] int64_t evicted_tokens() const { return evicted_tokens_; }

 private:
  static constexpr uint32_t kNone = HashIndex::kNotFound;
  static constexpr int64_t kUnlimited = int64_t{1} << 62;  // sums with one entry fit an int64

  struct Entry {
    int64_t conversation = 0;
    int64_t bytes = 0;
    int32_t tokens = 0;
    int32_t pins = 0;
    bool erased = false;    // when the last pin goes
    uint32_t prev = kNone;  // in the order of eviction
    uint32_t next = kNone;  // of an unused entry: the next unused one
  };

  // Conversations are >= 0; the index has no key 0.
  static uint64_t Key(int64_t conversation) { return static_cast<uint64_t>(conversation) + 1; }
  [[nodiscard]] uint32_t IndexOf(int64_t conversation) const {
    return index_.Find(Key(conversation));
  }
  void EvictUntilFits(int64_t bytes, uint32_t spared);
  uint32_t Add(int64_t conversation);
  void Remove(uint32_t id);
  void Append(uint32_t id);
  void Prepend(uint32_t id);
  void Unlink(uint32_t id);

  int64_t capacity_;
  std::unique_ptr<Eviction> eviction_;
  int64_t used_ = 0;
  int64_t pinned_ = 0;  // bytes of pinned entries
  int64_t max_used_ = 0;
  int64_t hits_ = 0;
  int64_t evicted_tokens_ = 0;
  HashIndex index_;  // conversation -> entry
  std::vector<Entry> entries_;
  uint32_t unused_ = kNone;
  uint32_t head_ = kNone;  // the next to evict
  uint32_t tail_ = kNone;
};

}  // namespace tokensim
