// The longest iteration since a given one.
//
// A request's longest inter-token gap while it decodes is the longest of the iterations it decoded
// in. A stack of (iteration, duration) with strictly decreasing durations answers "the maximum from
// iteration s until now" by binary search: an entry is dropped when a later one is at least as
// long, for it can then never be the answer. Push is amortised O(1); the stack stays short in
// practice.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "engine/base/time.h"

namespace tokensim {

class GapMaximum {
 public:
  // `duration` < kNever.
  void Push(int64_t iteration, SimTime duration) {
    // Mostly one entry is dropped, or none: that one without a branch.
    size_ -= entries_[size_ - 1].duration <= duration ? 1 : 0;
    while (entries_[size_ - 1].duration <= duration) --size_;
    if (size_ == entries_.size()) entries_.resize(2 * size_);
    entries_[size_++] = {iteration, duration};
  }

  // Maximum over the iterations from `first` to the last pushed; kUnset when there is none.
  [[nodiscard]] SimTime Since(int64_t first) const {
    const size_t i = FirstFrom(first);
    return i == size_ ? kUnset : entries_[i].duration;
  }

  // Forgets iterations before `first`: nobody will ask for them again.
  void DropBefore(int64_t first) {
    const auto from = entries_.begin() + static_cast<std::ptrdiff_t>(FirstFrom(first));
    const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(size_);
    size_ = static_cast<size_t>(std::copy(from, end, entries_.begin() + 1) - entries_.begin());
  }

  [[nodiscard]] size_t size() const { return size_ - 1; }

 private:
  struct Entry {
    int64_t iteration = std::numeric_limits<int64_t>::min();
    SimTime duration = kNever;
  };

  [[nodiscard]] size_t FirstFrom(int64_t first) const {
    const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(size_);
    const auto it = std::partition_point(entries_.begin(), end,
                                         [first](const Entry& e) { return e.iteration < first; });
    return static_cast<size_t>(it - entries_.begin());
  }

  // The first entry is the bottom: older and longer than any iteration, so it is never dropped.
  std::vector<Entry> entries_ = std::vector<Entry>(16);
  size_t size_ = 1;
};

}  // namespace tokensim
