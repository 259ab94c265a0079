// A hash table from 64-bit keys to 32-bit values: open addressing with linear probing.
//
//   HashIndex index;
//   index.Insert(key, 7);          // key != 0 and absent
//   index.Find(key);               // 7; kNotFound when absent
//
// Keys and values are two arrays, 12 bytes a slot, at most 3/4 full. An erased entry leaves no
// tombstone: the entries behind it move up (Knuth, TAOCP 3, 6.4, algorithm R), so a table at
// constant size never slows down. There is no iteration: nothing can depend on the order.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/base/invariant.h"

namespace tokensim {

class HashIndex {
 public:
  static constexpr uint32_t kNotFound = 0xffffffffU;

  [[nodiscard]] size_t size() const { return size_; }

  [[nodiscard]] uint32_t Find(uint64_t key) const {
    if (size_ == 0) return kNotFound;
    for (size_t i = Home(key);; i = (i + 1) & mask_) {
      if (keys_[i] == key) return values_[i];
      if (keys_[i] == 0) return kNotFound;
    }
  }

  void Insert(uint64_t key, uint32_t value) {
    TOKENSIM_INVARIANT(key != 0, "0 is no key");
    if (4 * (size_ + 1) > 3 * keys_.size()) Grow();
    size_t i = Home(key);
    for (; keys_[i] != 0; i = (i + 1) & mask_) {
      TOKENSIM_INVARIANT(keys_[i] != key, "key inserted twice");
    }
    keys_[i] = key;
    values_[i] = value;
    ++size_;
  }

  void Erase(uint64_t key) {
    TOKENSIM_INVARIANT(size_ > 0, "erased key is absent");
    size_t hole = Home(key);
    for (; keys_[hole] != key; hole = (hole + 1) & mask_) {
      TOKENSIM_INVARIANT(keys_[hole] != 0, "erased key is absent");
    }
    for (size_t i = (hole + 1) & mask_; keys_[i] != 0; i = (i + 1) & mask_) {
      // An entry may move to the hole unless that lies before its home.
      if (((i - Home(keys_[i])) & mask_) < ((i - hole) & mask_)) continue;
      keys_[hole] = keys_[i];
      values_[hole] = values_[i];
      hole = i;
    }
    keys_[hole] = 0;
    --size_;
  }

  void Clear() { *this = HashIndex(); }

 private:
  // Fibonacci hashing (TAOCP 3, 6.4): the top bits of the key times 2^64 / golden ratio.
  [[nodiscard]] size_t Home(uint64_t key) const {
    return static_cast<size_t>((key * 0x9e3779b97f4a7c15ULL) >> shift_);
  }

  void Grow() {
    HashIndex bigger;
    const size_t slots = keys_.empty() ? 16 : 2 * keys_.size();
    bigger.keys_.assign(slots, 0);
    bigger.values_.resize(slots);
    bigger.mask_ = slots - 1;
    bigger.shift_ = 64 - std::countr_zero(slots);
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (keys_[i] != 0) bigger.Insert(keys_[i], values_[i]);
    }
    *this = std::move(bigger);
  }

  std::vector<uint64_t> keys_;  // 0: empty slot. A power of two long
  std::vector<uint32_t> values_;
  size_t size_ = 0;
  size_t mask_ = 0;
  int shift_ = 0;
};

}  // namespace tokensim
