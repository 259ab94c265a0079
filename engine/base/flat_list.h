// A list that is emptied and filled over and over: Clear is a store, memory is kept.
//
//   FlatList<int32_t> admitted;
//   admitted.push_back(7);
//   for (const int32_t handle : admitted) Use(handle);
//   admitted.clear();
//
// Of trivially copyable items, below 2^32 of them. std::vector's clear asks whether there is
// something to destroy: a branch that is often mispredicted where lists are mostly, but not always,
// empty.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace tokensim {

template <typename T>
class FlatList {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  using value_type = T;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] const T* data() const { return items_.get(); }
  [[nodiscard]] const T* begin() const { return items_.get(); }
  [[nodiscard]] const T* end() const { return items_.get() + size_; }
  [[nodiscard]] const T& operator[](size_t i) const { return items_[i]; }

  void push_back(const T& item) {
    const T copy = item;  // it may be one of the list
    if (size_ == capacity_) Grow();
    items_[size_++] = copy;
  }
  void clear() { size_ = 0; }

 private:
  void Grow() {
    const uint32_t capacity = capacity_ == 0 ? 8 : 2 * capacity_;
    std::unique_ptr<T[]> items = std::make_unique_for_overwrite<T[]>(capacity);
    std::copy_n(items_.get(), size_, items.get());
    items_ = std::move(items);
    capacity_ = capacity;
  }

  std::unique_ptr<T[]> items_;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

}  // namespace tokensim
