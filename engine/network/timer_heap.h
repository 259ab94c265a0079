// The next time of each of a few numbered things, and which comes first. One time per slot; setting
// it again moves it. O(log n), no allocation once it has reached its size.
//
//   timers.Set(slot, time, order);
//   while (!timers.empty() && timers.time() <= now) Handle(timers.slot());
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/base/time.h"

namespace tokensim {

class TimerHeap {
 public:
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  // Of the first by (time, order).
  [[nodiscard]] SimTime time() const { return heap_.front().time; }
  [[nodiscard]] int32_t slot() const { return heap_.front().slot; }

  void Set(int32_t slot, SimTime time, int64_t order) {
    if (places_.size() <= static_cast<size_t>(slot)) {
      places_.resize(static_cast<size_t>(slot) + 1, kNowhere);
    }
    size_t at = places_[static_cast<size_t>(slot)];
    if (at == kNowhere) {
      at = heap_.size();
      heap_.emplace_back();
    }
    Put(at, {time, order, slot});
    Down(Up(at));
  }

  // Nothing when the slot has no time.
  void Remove(int32_t slot) {
    if (places_.size() <= static_cast<size_t>(slot)) return;
    const size_t at = places_[static_cast<size_t>(slot)];
    if (at == kNowhere) return;
    places_[static_cast<size_t>(slot)] = kNowhere;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (at == heap_.size()) return;
    Put(at, last);
    Down(Up(at));
  }

 private:
  struct Entry {
    SimTime time = 0;
    int64_t order = 0;
    int32_t slot = 0;

    friend bool operator<(const Entry& a, const Entry& b) {
      return a.time != b.time ? a.time < b.time : a.order < b.order;
    }
  };
  static constexpr size_t kNowhere = static_cast<size_t>(-1);

  void Put(size_t at, const Entry& entry) {
    heap_[at] = entry;
    places_[static_cast<size_t>(entry.slot)] = at;
  }
  void Swap(size_t a, size_t b) {
    const Entry entry = heap_[a];
    Put(a, heap_[b]);
    Put(b, entry);
  }
  size_t Up(size_t at) {
    for (size_t parent; at > 0 && heap_[at] < heap_[parent = (at - 1) / 2]; at = parent) {
      Swap(at, parent);
    }
    return at;
  }
  void Down(size_t at) {
    for (;;) {
      size_t least = at;
      for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap_.size(); ++child) {
        if (heap_[child] < heap_[least]) least = child;
      }
      if (least == at) return;
      Swap(at, least);
      at = least;
    }
  }

  std::vector<Entry> heap_;
  std::vector<size_t> places_;  // by slot
};

}  // namespace tokensim
