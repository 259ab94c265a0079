// Paged KV cache of one worker, as counts.
//
// A block holds the keys and values of `block_size` tokens of one request (vLLM, SOSP 2023, section
// 4). A request with n tokens in the cache holds ceil(n / block_size) blocks. Which physical block
// is whose does not matter to time or capacity, so the pool keeps numbers, not lists:
//
//   BlockPool pool(1000, 16);
//   if (pool.BlocksFor(33) <= pool.free()) pool.Allocate(pool.BlocksFor(33));   // 3 blocks
//
// With prefix caching the same blocks can also be found by their content: cache() hands them out,
// and blocks that nobody holds but that still can be found count as free.
//
// Invariant: 0 <= used <= total. Breaking it is an engine bug and throws InvariantError.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/base/invariant.h"
#include "engine/memory/prefix_cache.h"

namespace tokensim {

class BlockPool {
 public:
  BlockPool(int64_t total, int32_t block_size, bool prefix_caching = false,
            bool reuses_unfindable_first = false)
      : total_(total), block_size_(block_size) {
    if (prefix_caching) cache_ = std::make_unique<PrefixCache>(total, reuses_unfindable_first);
  }

  [[nodiscard]] int64_t total() const { return total_; }
  [[nodiscard]] int64_t used() const { return total_ - free(); }
  [[nodiscard]] int64_t free() const { return cache_ == nullptr ? total_ - used_ : cache_->free(); }
  [[nodiscard]] int32_t block_size() const { return block_size_; }

  [[nodiscard]] int64_t BlocksFor(int32_t tokens) const {
    return (static_cast<uint32_t>(tokens) + static_cast<uint32_t>(block_size_) - 1) /
           static_cast<uint32_t>(block_size_);
  }

  void Allocate(int64_t blocks) {
    if (cache_ != nullptr) return cache_->Take(blocks);
    TOKENSIM_INVARIANT(blocks >= 0 && blocks <= free(), "KV blocks allocated beyond the pool");
    used_ += blocks;
  }
  void Free(int64_t blocks) {
    if (cache_ != nullptr) return cache_->Return(blocks);
    TOKENSIM_INVARIANT(blocks >= 0 && blocks <= used_, "KV blocks freed that were not allocated");
    used_ -= blocks;
  }

  // Null without prefix caching.
  [[nodiscard]] PrefixCache* cache() { return cache_.get(); }
  [[nodiscard]] const PrefixCache* cache() const { return cache_.get(); }

 private:
  int64_t total_;
  int64_t used_ = 0;  // without a cache
  int32_t block_size_;
  std::unique_ptr<PrefixCache> cache_;
};

}  // namespace tokensim
