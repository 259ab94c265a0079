// The longest iteration since a given one.
//
// A request's longest inter-token gap while it decodes is the longest of the iterations it decoded
// in. A stack of (iteration, duration) with strictly decreasing durations answers "the maximum from
// iteration s until now" by binary search: an entry is dropped when a later one is at least as
// long, for it can then never be the answer. Push is amortised O(1); the stack stays short in
// practice.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/base/time.h"

namespace tokensim {

class GapMaximum {
 public:
  void Push(int64_t iteration, SimTime duration) {
    while (!stack_.empty() && stack_.back().duration <= duration) stack_.pop_back();
    stack_.push_back({iteration, duration});
  }

  // Maximum over the iterations from `first` to the last pushed; kUnset when there is none.
  [[nodiscard]] SimTime Since(int64_t first) const {
    const auto it = std::partition_point(stack_.begin(), stack_.end(),
                                         [first](const Entry& e) { return e.iteration < first; });
    return it == stack_.end() ? kUnset : it->duration;
  }

  // Forgets iterations before `first`: nobody will ask for them again.
  void DropBefore(int64_t first) {
    const auto it = std::partition_point(stack_.begin(), stack_.end(),
                                         [first](const Entry& e) { return e.iteration < first; });
    stack_.erase(stack_.begin(), it);
  }

  [[nodiscard]] size_t size() const { return stack_.size(); }

 private:
  struct Entry {
    int64_t iteration;
    SimTime duration;
  };
  std::vector<Entry> stack_;
};

}  // namespace tokensim
