// The pending events of a run, in a 4-ary heap of PODs.
//
// Total order: time, then priority, then index. The order among equal times is part of the results:
//
//   kWorkerEvent  a worker fails, the cluster grows: what follows at that time is its consequence
//   kWorkerStart  a worker begins to serve
//   (transfers)   KV caches arrive; the simulation keeps the next one beside the heap
//   (arrivals)    the next one is beside the heap, too. A request that arrives, or whose KV cache
//                 does, just when an iteration ends can join the next one
//   kSignals      policies with stale signals get new ones
//   kBoundary     an iteration ends and the next begins; or a worker has waited long enough for more
//                 requests
//   kSnapshot     after everything else, so that it shows the state it leaves
//
// No allocation per event once the heap has reached its size; at most one event per (kind, index).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/time.h"

namespace tokensim {

enum class EventKind : uint32_t { kWorkerEvent, kWorkerStart, kSignals, kBoundary, kSnapshot };

struct QueuedEvent {
  SimTime time = kNever;
  EventKind kind = EventKind::kBoundary;  // its value is the priority
  uint32_t index = 0;                     // worker; of kWorkerEvent: in the plan

  [[nodiscard]] bool Before(const QueuedEvent& other) const { return Rank() < other.Rank(); }
  // One number, so that to compare takes no branch. Times are >= 0.
  [[nodiscard]] unsigned __int128 Rank() const {
    return static_cast<unsigned __int128>(time) << 64 |
           uint64_t{static_cast<uint32_t>(kind)} << 32 | index;
  }
};

class EventQueue {
 public:
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] size_t size() const { return heap_.size(); }
  [[nodiscard]] const QueuedEvent& top() const { return heap_[0]; }

  // The event after the top one; of time kNever when there is none.
  [[nodiscard]] QueuedEvent second() const {
    if (heap_.size() >= 5) return heap_[LeastOfFour(1)];
    return heap_.size() > 1 ? heap_[LeastOf(1, heap_.size())] : QueuedEvent{};
  }

  void Push(const QueuedEvent& event) {
    heap_.push_back(event);
    Rise(heap_.size() - 1, event);
  }

  void Pop() {
    const QueuedEvent last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) ReplaceTop(last);
  }

  // An event that is in the queue happens at `time`, which is not later than it was to. Looks for
  // it among all.
  void Expedite(EventKind kind, uint32_t index, SimTime time) {
    for (size_t i = 0; i < heap_.size(); ++i) {
      if (heap_[i].kind == kind && heap_[i].index == index) return Rise(i, {time, kind, index});
    }
  }

  // Takes an event out that shall not happen. Looks at all: for rare events only.
  void Erase(EventKind kind, uint32_t index) {
    std::vector<QueuedEvent> events;
    events.swap(heap_);
    for (const QueuedEvent& event : events) {
      if (event.kind != kind || event.index != index) Push(event);
    }
  }

  // Pop and Push in one: the common case, a worker's boundary giving way to its next one. That is
  // mostly one of the last, so the hole at the top sinks to the bottom and the event rises from
  // there: on the way down nothing is compared with it.
  void ReplaceTop(const QueuedEvent& event) {
    const size_t size = heap_.size();
    size_t hole = 0;
    for (size_t first = 1; first < size; first = 4 * hole + 1) {
      const size_t least = first + 4 <= size ? LeastOfFour(first) : LeastOf(first, size);
      heap_[hole] = heap_[least];
      hole = least;
    }
    Rise(hole, event);
  }

 private:
  [[nodiscard]] size_t LeastOfFour(size_t first) const {
    const size_t a = first + (heap_[first + 1].Before(heap_[first]) ? 1 : 0);
    const size_t b = first + 2 + (heap_[first + 3].Before(heap_[first + 2]) ? 1 : 0);
    return heap_[b].Before(heap_[a]) ? b : a;
  }
  [[nodiscard]] size_t LeastOf(size_t first, size_t end) const {
    size_t least = first;
    for (size_t child = first + 1; child < end; ++child) {
      if (heap_[child].Before(heap_[least])) least = child;
    }
    return least;
  }
  // Puts the event into the hole, or above.
  void Rise(size_t hole, const QueuedEvent& event) {
    while (hole > 0) {
      const size_t parent = (hole - 1) / 4;
      if (!event.Before(heap_[parent])) break;
      heap_[hole] = heap_[parent];
      hole = parent;
    }
    heap_[hole] = event;
  }

  std::vector<QueuedEvent> heap_;
};

}  // namespace tokensim
