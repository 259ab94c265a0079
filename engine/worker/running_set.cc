#include "engine/worker/running_set.h"

#include <algorithm>

namespace tokensim {

RunningSet::RunningSet(RequestSlab& slab, const RunningSetConfig& config,
                       const VictimFactory& victim, Queues* charged)
    : slab_(slab),
      victim_(victim.Make({})),
      victim_looks_at_all_(victim.traits().looks_at_all),
      charged_(charged),
      decodes_(slab, config.block_size, config.tracks_longest, config.layout, config.windows),
      order_(slab) {
  if (charged_->is_fair()) classes_.resize(static_cast<size_t>(config.classes));
}

void RunningSet::StopPrefill(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  pending_tokens_ -= r.prefill_target() - r.computed;
  if (handle == unfinished_) unfinished_ = kNoRequest;
}

int64_t RunningSet::OldestDecodeStart() const {
  int64_t oldest = decodes_.next_iteration();
  for (size_t i = 0; i < order_.size(); ++i) {
    const RequestHandle h = order_[i];
    if (h != kNoRequest && slab_[h].decoding) oldest = std::min(oldest, slab_[h].decode_start);
  }
  return oldest;
}

void RunningSet::AppendTo(std::vector<RequestHandle>* requests) const {
  for (size_t i = 0; i < order_.size(); ++i) {
    if (order_[i] != kNoRequest) requests->push_back(order_[i]);
  }
}

// ---- Decodes

// Virtual Token Counter: an output token counts twice a prompt token. Tokens are charged when
// somebody asks, not as they come: a class gets one for each decode and iteration.
void RunningSet::ChargeClass(int32_t client_class) {
  constexpr int64_t kOutputWeight = 2;
  ClassDecodes& c = classes_[static_cast<size_t>(client_class)];
  charged_->Charge(client_class, kOutputWeight * c.count * (decodes_.next_iteration() - c.charged));
  c.charged = decodes_.next_iteration();
}

// ---- Victims

RequestHandle RunningSet::Victim() const {
  RequestHandle victim = order_.back();
  if (victim == kNoRequest || !victim_looks_at_all_) return victim;
  RunningRequest worst = ViewOf(slab_[victim]);
  for (size_t i = order_.size() - 1; i > 0; --i) {
    const RequestHandle h = order_[i - 1];
    if (h == kNoRequest) continue;
    const RunningRequest request = ViewOf(slab_[h]);
    if (!victim_->IsWorse(request, worst)) continue;
    victim = h;
    worst = request;
  }
  return victim;
}

RunningRequest RunningSet::ViewOf(const LiveRequest& r) const {
  const TokenProgress progress = ProgressOf(r);
  return {.priority = r.priority,
          .arrival = r.arrival,
          .client_class = r.client_class,
          .input_tokens = r.input_tokens,
          .generated = progress.generated,
          .computed = progress.computed,
          .preemptions = r.preemptions};
}

void RunningSet::Clear() {
  order_.Clear();
  unfinished_ = kNoRequest;
  count_ = 0;
  pending_tokens_ = 0;
}

}  // namespace tokensim
