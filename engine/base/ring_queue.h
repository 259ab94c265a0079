// A double-ended queue in one growing ring: push and pop at both ends in O(1), no allocation once
// it has reached its size.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

namespace tokensim {

template <typename T>
class RingQueue {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] const T& front() const { return ring_[head_]; }

  void push_back(T value) {
    if (size_ == ring_.size()) Grow();
    ring_[(head_ + size_) & (ring_.size() - 1)] = value;
    ++size_;
  }
  void push_front(T value) {
    if (size_ == ring_.size()) Grow();
    head_ = (head_ + ring_.size() - 1) & (ring_.size() - 1);
    ring_[head_] = value;
    ++size_;
  }
  void pop_front() {
    head_ = (head_ + 1) & (ring_.size() - 1);
    --size_;
  }

 private:
  void Grow() {
    std::vector<T> bigger(ring_.empty() ? 16 : ring_.size() * 2);
    for (size_t i = 0; i < size_; ++i) bigger[i] = ring_[(head_ + i) & (ring_.size() - 1)];
    ring_ = std::move(bigger);
    head_ = 0;
  }

  std::vector<T> ring_;  // a power of two long
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace tokensim
