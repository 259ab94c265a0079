#include "engine/worker/waiting_queue.h"

#include <algorithm>
#include <limits>

namespace tokensim {

void KeyedQueue::Push(const Entry& entry) {
  heap_.push_back(entry);
  std::push_heap(heap_.begin(), heap_.end(), Later);
}

void KeyedQueue::pop_front() {
  std::pop_heap(heap_.begin(), heap_.end(), Later);
  heap_.pop_back();
}

void FairQueue::push_back(RequestHandle request, int32_t client_class) {
  ClientClass& joining = classes_[static_cast<size_t>(client_class)];
  if (joining.requests.empty()) Lift(&joining);
  joining.requests.push_back(request);
  ++size_;
  least_charged_ = -1;
}

// Not a new request: its class is not lifted.
void FairQueue::push_front(RequestHandle request, int32_t client_class) {
  classes_[static_cast<size_t>(client_class)].requests.push_front(request);
  ++size_;
  least_charged_ = -1;
}

void FairQueue::pop_front() {
  const int32_t c = LeastCharged();
  RingQueue<RequestHandle>& requests = classes_[static_cast<size_t>(c)].requests;
  requests.pop_front();
  --size_;
  if (!requests.empty()) return;
  last_left_ = c;
  least_charged_ = -1;
}

void FairQueue::Charge(int32_t client_class, int64_t service) {
  classes_[static_cast<size_t>(client_class)].counter += service;
  least_charged_ = -1;
}

int32_t FairQueue::LeastCharged() const {
  if (least_charged_ >= 0) return least_charged_;
  int64_t least = std::numeric_limits<int64_t>::max();
  for (size_t c = 0; c < classes_.size(); ++c) {
    if (classes_[c].requests.empty() || classes_[c].counter >= least) continue;
    least = classes_[c].counter;
    least_charged_ = static_cast<int32_t>(c);
  }
  return least_charged_;
}

// The counter lift of VTC: no credit for the time in which a class asked for nothing. Its counter
// becomes at least the least of those that wait; when nobody does, that of the class that waited
// last.
void FairQueue::Lift(ClientClass* joining) const {
  const int32_t reference = empty() ? last_left_ : LeastCharged();
  joining->counter = std::max(joining->counter, Class(reference).counter);
}

}  // namespace tokensim
