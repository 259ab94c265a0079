// The requests that wait at a worker: three kinds of queue, of which its queue order uses one.
//
//   kArrival   order of arrival
//   kKeyed     by a key of the request, least first; equal keys in order of arrival
//   kFair      Virtual Token Counter (Sheng et al., "Fairness in Serving Large Language Models",
//              OSDI 2024): of the client classes that wait, the one that was charged the least
//              service so far; in a class order of arrival
//
//   WaitingQueue queue(QueueKind::kKeyed);
//   queue.push_back(request, prompt_tokens, client_class);
//   for (; !queue.empty(); queue.pop_front()) Admit(queue.front());
//
// Preempted requests come back by push_front: before every other, before those of equal key, before
// the others of their class; the one pushed last is first, as the last admitted is preempted first.
// All operations are O(1) by arrival, O(log requests) by key, O(classes) in kFair.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/ring_queue.h"
#include "engine/worker/live_request.h"
#include "engine/worker/queue_order.h"

namespace tokensim {

// By (key, order of the pushes).
class KeyedQueue {
 public:
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] size_t size() const { return heap_.size(); }
  [[nodiscard]] RequestHandle front() const { return heap_.front().request; }
  void push_back(RequestHandle request, int64_t key) { Push({key, ++last_, request}); }
  void push_front(RequestHandle request, int64_t key) { Push({key, --first_, request}); }
  void pop_front();

 private:
  struct Entry {
    int64_t key = 0;
    int64_t turn = 0;  // below 0: preempted
    RequestHandle request = kNoRequest;
  };
  static bool Later(const Entry& a, const Entry& b) {
    return a.key != b.key ? a.key > b.key : a.turn > b.turn;
  }
  void Push(const Entry& entry);

  std::vector<Entry> heap_;  // the first entry at the front
  int64_t first_ = 0;
  int64_t last_ = 0;
};

// By the counters of the classes; ties go to the first class.
class FairQueue {
 public:
  // `classes` >= 1, at most 64 or so: every class is looked at when the order may have changed.
  explicit FairQueue(int32_t classes) : classes_(static_cast<size_t>(classes)) {}

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] RequestHandle front() const { return Class(LeastCharged()).requests.front(); }
  void push_back(RequestHandle request, int32_t client_class);
  void push_front(RequestHandle request, int32_t client_class);
  void pop_front();
  void Charge(int32_t client_class, int64_t service);
  [[nodiscard]] int64_t counter(int32_t client_class) const { return Class(client_class).counter; }

 private:
  struct ClientClass {
    int64_t counter = 0;  // of the service it got, and what it was lifted by
    RingQueue<RequestHandle> requests;
  };
  [[nodiscard]] const ClientClass& Class(int32_t c) const {
    return classes_[static_cast<size_t>(c)];
  }
  // Of those that wait; the queue is not empty.
  [[nodiscard]] int32_t LeastCharged() const;
  // A class that did not wait begins to.
  void Lift(ClientClass* joining) const;

  std::vector<ClientClass> classes_;
  size_t size_ = 0;
  int32_t last_left_ = 0;               // the class whose last request was taken most recently
  mutable int32_t least_charged_ = -1;  // -1: to be found
};

class WaitingQueue {
 public:
  // `classes` (>= 1): number of client classes, for kFair.
  explicit WaitingQueue(QueueKind kind, int32_t classes = 1)
      : kind_(kind), fair_(kind == QueueKind::kFair ? classes : 1) {}

  [[nodiscard]] QueueKind kind() const { return kind_; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] size_t size() const {
    switch (kind_) {
      case QueueKind::kKeyed:
        return keyed_.size();
      case QueueKind::kFair:
        return fair_.size();
      default:
        return ring_.size();
    }
  }
  // Not empty.
  [[nodiscard]] RequestHandle front() const {
    switch (kind_) {
      case QueueKind::kKeyed:
        return keyed_.front();
      case QueueKind::kFair:
        return fair_.front();
      default:
        return ring_.front();
    }
  }
  void pop_front() {
    switch (kind_) {
      case QueueKind::kKeyed:
        return keyed_.pop_front();
      case QueueKind::kFair:
        return fair_.pop_front();
      default:
        return ring_.pop_front();
    }
  }
  // A request that arrives. `key` counts in kKeyed, `client_class` in kFair.
  void push_back(RequestHandle request, int64_t key, int32_t client_class) {
    switch (kind_) {
      case QueueKind::kKeyed:
        return keyed_.push_back(request, key);
      case QueueKind::kFair:
        return fair_.push_back(request, client_class);
      default:
        return ring_.push_back(request);
    }
  }
  // A request that was preempted, with the key it had.
  void push_front(RequestHandle request, int64_t key, int32_t client_class) {
    switch (kind_) {
      case QueueKind::kKeyed:
        return keyed_.push_front(request, key);
      case QueueKind::kFair:
        return fair_.push_front(request, client_class);
      default:
        return ring_.push_front(request);
    }
  }
  // The class was served: its prompt tokens when a request is admitted and the tokens it generates,
  // each times its weight (1 and 2 in the paper). Does nothing but in kFair.
  void Charge(int32_t client_class, int64_t service) {
    if (kind_ == QueueKind::kFair) fair_.Charge(client_class, service);
  }
  // Takes every request out, in the order in which they would be served if nobody were charged.
  void Drain(std::vector<RequestHandle>* requests) {
    for (; !empty(); pop_front()) requests->push_back(front());
  }

 private:
  QueueKind kind_;
  RingQueue<RequestHandle> ring_;
  KeyedQueue keyed_;
  FairQueue fair_;
};

}  // namespace tokensim
