#include "tests/property/reference_request.h"

#include <algorithm>

#include "engine/worker/queue_order.h"

namespace tokensim {

void ReferenceQueue::Arrive(ReferenceRequest* request) {
  const int32_t joining = request->input.client_class;
  if (!Waits(joining)) {
    const int32_t reference = empty() ? last_left_ : LeastCharged();
    charged_[joining] = std::max(charged_[joining], charged_[reference]);
  }
  SetKey(request);
  requests_.push_back(request);
}

void ReferenceQueue::Return(ReferenceRequest* request) {
  SetKey(request);
  requests_.insert(requests_.begin(), request);
}

ReferenceRequest* ReferenceQueue::Pop() {
  const size_t index = Front();
  ReferenceRequest* request = requests_[index];
  requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(index));
  if (!Waits(request->input.client_class)) last_left_ = request->input.client_class;
  return request;
}

size_t ReferenceQueue::Front() const {
  const auto begin = requests_.begin();
  const std::string& order = config_.queue_order->name();
  if (order == "fcfs") return 0;
  if (order == "fair") {
    const int32_t next = LeastCharged();
    return static_cast<size_t>(
        std::find_if(begin, requests_.end(),
                     [next](const auto* r) { return r->input.client_class == next; }) -
        begin);
  }
  return static_cast<size_t>(
      std::min_element(begin, requests_.end(),
                       [](const auto* a, const auto* b) { return a->key < b->key; }) -
      begin);
}

int32_t ReferenceQueue::LeastCharged() const {
  int32_t least = -1;
  for (const auto& [client_class, charged] : charged_) {
    if (!Waits(client_class)) continue;
    if (least < 0 || charged < charged_.at(least)) least = client_class;
  }
  return least;
}

bool ReferenceQueue::Waits(int32_t client_class) const {
  return std::any_of(requests_.begin(), requests_.end(), [client_class](const auto* r) {
    return r->input.client_class == client_class;
  });
}

void ReferenceQueue::SetKey(ReferenceRequest* request) const {
  const std::string& order = config_.queue_order->name();
  request->key = 0;
  if (order == "sjf") {
    request->key = request->to_compute();
    if (config_.queue_order->values().flag("oracle_output_length")) {
      request->key += request->record.output_tokens;
    }
  }
  if (order == "priority") request->key = request->priority;
  if (order == "edf") request->key = request->deadline;
}

}  // namespace tokensim
