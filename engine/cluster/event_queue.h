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

  [[nodiscard]] bool Before(const QueuedEvent& other) const {
    if (time != other.time) return time < other.time;
    if (kind != other.kind) return kind < other.kind;
    return index < other.index;
  }
};

class EventQueue {
 public:
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] size_t size() const { return heap_.size(); }
  [[nodiscard]] const QueuedEvent& top() const { return heap_[0]; }

  // Time of the event after the top one; kNever when there is none.
  [[nodiscard]] SimTime second_time() const {
    SimTime least = kNever;
    for (size_t i = 1; i < 5 && i < heap_.size(); ++i) {
      if (heap_[i].time < least) least = heap_[i].time;
    }
    return least;
  }

  void Push(const QueuedEvent& event) {
    heap_.push_back(event);
    SiftUp(heap_.size() - 1, event);
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
      if (heap_[i].kind == kind && heap_[i].index == index) return SiftUp(i, {time, kind, index});
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

  // Pop and Push in one: the common case, a worker's boundary giving way to its next one.
  void ReplaceTop(const QueuedEvent& event) {
    const size_t size = heap_.size();
    size_t i = 0;
    while (true) {
      const size_t first = 4 * i + 1;
      if (first >= size) break;
      const size_t end = first + 4 < size ? first + 4 : size;
      size_t least = first;
      for (size_t child = first + 1; child < end; ++child) {
        if (heap_[child].Before(heap_[least])) least = child;
      }
      if (!heap_[least].Before(event)) break;
      heap_[i] = heap_[least];
      i = least;
    }
    heap_[i] = event;
  }

 private:
  // The event takes the place `i`, or one nearer to the top.
  void SiftUp(size_t i, const QueuedEvent& event) {
    while (i > 0) {
      const size_t parent = (i - 1) / 4;
      if (!event.Before(heap_[parent])) break;
      heap_[i] = heap_[parent];
      i = parent;
    }
    heap_[i] = event;
  }

  std::vector<QueuedEvent> heap_;
};

}  // namespace tokensim
