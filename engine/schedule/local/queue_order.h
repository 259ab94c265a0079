#pragma once
#include "engine/base/ring_queue.h"
#include "engine/schedule/local/local_scheduler.h"
namespace tokensim {
class WaitingQueue {
 public:
  explicit WaitingQueue(QueueOrder) {}
  [[nodiscard]] bool empty() const { return q_.empty(); }
  [[nodiscard]] size_t size() const { return q_.size(); }
  [[nodiscard]] uint32_t front() const { return q_.front(); }
  void pop_front() { q_.pop_front(); }
  void push_back(uint32_t h, int64_t, int32_t) { q_.push_back(h); }
  void push_front(uint32_t h, int64_t, int32_t) { q_.push_front(h); }
 private:
  RingQueue<uint32_t> q_;
};
}  // namespace tokensim
