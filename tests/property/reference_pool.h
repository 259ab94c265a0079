// The memory pool of the reference simulator: engine/memory/memory_pool.h as a list in the order of
// eviction.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/memory/memory_pool.h"

namespace tokensim {

class ReferencePool {
 public:
  explicit ReferencePool(const MemoryPoolConfig& config) : config_(config) {}

  // Of the conversation that are kept.
  int64_t Find(int64_t conversation);
  void Pin(int64_t conversation) { ++At(conversation)->pins; }
  void Unpin(int64_t conversation);
  void Put(int64_t conversation, int64_t tokens, int64_t bytes_per_token);
  void Erase(int64_t conversation);

  [[nodiscard]] int64_t evicted_tokens() const { return evicted_tokens_; }
  [[nodiscard]] int64_t max_bytes() const { return max_bytes_; }

 private:
  struct Entry {
    int64_t conversation = 0;
    int64_t tokens = 0;
    int64_t bytes = 0;
    int pins = 0;
    bool over = false;  // goes with the last pin
  };
  std::vector<Entry>::iterator At(int64_t conversation);
  [[nodiscard]] int64_t Bytes(bool pinned_only) const;

  const MemoryPoolConfig& config_;
  std::vector<Entry> entries_;  // the next to be evicted first
  int64_t evicted_tokens_ = 0;
  int64_t max_bytes_ = 0;
};

}  // namespace tokensim
