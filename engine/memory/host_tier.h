// Host memory for swapped KV caches of one worker, in KV blocks.
//
//   HostTier host(500);
//   if (host.CanHold(20)) host.Allocate(20);   // swap out; host.Free(20) after the swap in
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/base/invariant.h"

namespace tokensim {

class HostTier {
 public:
  explicit HostTier(int64_t total) : total_(total) {}

  [[nodiscard]] int64_t total() const { return total_; }
  [[nodiscard]] int64_t used() const { return used_; }
  [[nodiscard]] int64_t max_used() const { return max_used_; }
  [[nodiscard]] bool CanHold(int64_t blocks) const { return blocks <= total_ - used_; }

  void Allocate(int64_t blocks) {
    TOKENSIM_INVARIANT(blocks >= 0 && CanHold(blocks), "host blocks allocated beyond the memory");
    used_ += blocks;
    max_used_ = std::max(max_used_, used_);
  }
  void Free(int64_t blocks) {
    TOKENSIM_INVARIANT(blocks >= 0 && blocks <= used_, "host blocks freed that were not allocated");
    used_ -= blocks;
  }

 private:
  int64_t total_;
  int64_t used_ = 0;
  int64_t max_used_ = 0;
};

}  // namespace tokensim
