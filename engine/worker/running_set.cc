#include "engine/worker/running_set.h"

#include <algorithm>

namespace tokensim {

RunningSet::RunningSet(RequestSlab& slab, const RunningSetConfig& config,
                       const VictimFactory& victim, Queues* charged)
    : slab_(slab),
      victim_(victim.Make({})),
      victim_looks_at_all_(victim.traits().looks_at_all),
      charged_(charged),
      decodes_(slab, config.block_size, config.tracks_longest) {
  if (charged_->is_fair()) classes_.resize(static_cast<size_t>(config.classes));
}

void RunningSet::Append(RequestHandle handle, int32_t pending) {
  LiveRequest& r = slab_[handle];
  r.ran_here = true;
  r.running_prev = tail_;
  r.running_next = kNoRequest;
  if (tail_ != kNoRequest) {
    slab_[tail_].running_next = handle;
  } else {
    head_ = handle;
  }
  tail_ = handle;
  ++count_;
  pending_tokens_ += pending;
}

void RunningSet::Remove(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  if (r.running_prev != kNoRequest) {
    slab_[r.running_prev].running_next = r.running_next;
  } else {
    head_ = r.running_next;
  }
  if (r.running_next != kNoRequest) {
    slab_[r.running_next].running_prev = r.running_prev;
  } else {
    tail_ = r.running_prev;
  }
  --count_;
}

void RunningSet::StopPrefill(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  pending_tokens_ -= r.prefill_target() - r.computed;
  if (handle == unfinished_) unfinished_ = kNoRequest;
}

bool RunningSet::AddComputed(RequestHandle handle, int32_t tokens) {
  LiveRequest& r = slab_[handle];
  r.computed += tokens;
  pending_tokens_ -= tokens;
  const bool complete = r.computed == r.prefill_target();
  if (complete && handle == unfinished_) unfinished_ = kNoRequest;
  return complete;
}

int64_t RunningSet::OldestDecodeStart() const {
  int64_t oldest = decodes_.next_iteration();
  for (RequestHandle h = head_; h != kNoRequest; h = slab_[h].running_next) {
    if (slab_[h].decoding) oldest = std::min(oldest, slab_[h].decode_start);
  }
  return oldest;
}

void RunningSet::AppendTo(std::vector<RequestHandle>* requests) const {
  for (RequestHandle h = head_; h != kNoRequest; h = slab_[h].running_next) requests->push_back(h);
}

// ---- Decodes

void RunningSet::Join(RequestHandle handle) {
  if (!classes_.empty()) {
    const int32_t client_class = slab_[handle].client_class;
    ChargeClass(client_class);
    ++classes_[static_cast<size_t>(client_class)].count;
  }
  decodes_.Join(handle);
}

void RunningSet::Leave(RequestHandle handle) {
  if (!classes_.empty()) {
    const int32_t client_class = slab_[handle].client_class;
    ChargeClass(client_class);
    --classes_[static_cast<size_t>(client_class)].count;
  }
  decodes_.Leave(handle);
}

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
  RequestHandle victim = tail_;
  if (victim == kNoRequest || !victim_looks_at_all_) return victim;
  RunningRequest worst = ViewOf(slab_[victim]);
  for (RequestHandle h = slab_[victim].running_prev; h != kNoRequest; h = slab_[h].running_prev) {
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
  head_ = tail_ = unfinished_ = kNoRequest;
  count_ = 0;
  pending_tokens_ = 0;
}

}  // namespace tokensim
