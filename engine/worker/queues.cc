#include "engine/worker/queues.h"

namespace tokensim {

Queues::Queues(RequestSlab& slab, const QueueOrderFactory& order, int32_t classes)
    : slab_(slab), order_(order.Make({})), waiting_(order.traits().queue, classes) {}

void Queues::PushFront(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  waiting_.push_front(handle, KeyOf(r), r.client_class);
  pending_tokens_ += PendingTokens(r);
}

void Queues::BeginLoad(RequestHandle handle) {
  ++places_;
  loading_.push_back(handle);
  loads_begun_.push_back(handle);
}

void Queues::ReserveLoad(RequestHandle handle) {
  ++places_;
  ++reserved_;
  loading_.push_back(handle);
}

void Queues::FinishLoad(RequestHandle handle, bool resumes) {
  std::erase(loading_, handle);
  if (resumes) {
    ready_.push_back(handle);
    return;
  }
  --places_;
  loaded_.push_back(handle);
  pending_tokens_ += PendingTokens(slab_[handle]);
}

void Queues::CancelLoad(RequestHandle handle) {
  std::erase(loading_, handle);
  --places_;
  if (slab_[handle].kv_source == KvSource::kNone) --reserved_;  // it still runs elsewhere
}

void Queues::Drain(std::vector<RequestHandle>* requests) {
  for (; !ready_.empty(); ready_.pop_front()) requests->push_back(ready_.front());
  requests->insert(requests->end(), loading_.begin(), loading_.end());
  for (; !loaded_.empty(); loaded_.pop_front()) requests->push_back(loaded_.front());
  waiting_.Drain(requests);
  loading_.clear();
  loads_begun_.clear();
  places_ = 0;
  reserved_ = 0;
  pending_tokens_ = 0;
}

}  // namespace tokensim
