#include "engine/schedule/worker_state.h"

#include <algorithm>

#include "engine/base/invariant.h"

namespace tokensim {

void WorkerState::BeginBatch() {
  batch_decodes_ = 0;
  batch_padding_ = 0;
  batch_completed_prefills_ = 0;
  batch_context_ = 0;
  batch_prefill_tokens_ = 0;
  chunks_.clear();
  chunk_requests_.clear();
  admitted_.clear();
  preempted_.clear();
}

IterationShape WorkerState::shape() const {
  return {.decode_count = batch_decodes_,
          .decode_context = batch_context_,
          .padding_count = batch_padding_,
          .sampled_count = batch_decodes_ + batch_padding_ + batch_completed_prefills_,
          .prefill_tokens = batch_prefill_tokens_,
          .prefill = chunks_};
}

bool WorkerState::PreemptForDecodes() {
  // vLLM walks the running set from the head and, when a request finds no block, preempts the tail.
  // The survivors are the same as when tails are dropped until the rest has enough: as long as the
  // walk fails somewhere, the survivors so far need more than there is.
  bool any = false;
  while (decodes_.blocks_due() > pool_.free()) {
    PreemptTail();
    any = true;
  }
  return any;
}

void WorkerState::PreemptTail() {
  const RequestHandle handle = running_tail_;
  TOKENSIM_INVARIANT(handle != kNoRequest, "preemption with nothing running");
  LiveRequest& r = slab_[handle];
  Preemption preemption{.request = handle};
  if (r.decoding) {
    preemption.decode_start = r.decode_start;
    preemption.tokens_before = r.generated;
    r.max_itl = std::max(r.max_itl, gaps_.Since(r.decode_start));
    r.last_token = now_;
    decodes_.Leave(handle);
  }
  preemption.generated = r.generated;
  pool_.Free(pool_.BlocksFor(r.computed));
  r.computed = 0;
  ++r.preemptions;
  RemoveRunning(handle);
  waiting_.push_front(handle);
  preempted_.push_back(preemption);
}

void WorkerState::ScheduleDecodes() {
  pool_.Allocate(decodes_.blocks_due());
  batch_decodes_ = decodes_.count();
  batch_context_ = decodes_.computed_sum() + decodes_.count();
}

void WorkerState::AdmitFront(int32_t tokens) {
  const RequestHandle handle = waiting_.front();
  waiting_.pop_front();
  LiveRequest& r = slab_[handle];
  r.running_prev = running_tail_;
  r.running_next = kNoRequest;
  if (running_tail_ != kNoRequest) {
    slab_[running_tail_].running_next = handle;
  } else {
    running_head_ = handle;
  }
  running_tail_ = handle;
  ++running_count_;
  admitted_.push_back(handle);
  pool_.Allocate(pool_.BlocksFor(tokens));
  AddChunk(handle, tokens);
}

void WorkerState::ContinuePrefill(RequestHandle handle, int32_t tokens) {
  const LiveRequest& r = slab_[handle];
  pool_.Allocate(pool_.BlocksFor(r.computed + tokens) - pool_.BlocksFor(r.computed));
  AddChunk(handle, tokens);
}

void WorkerState::AddChunk(RequestHandle handle, int32_t tokens) {
  const LiveRequest& r = slab_[handle];
  chunks_.push_back({tokens, r.computed});
  chunk_requests_.push_back(handle);
  batch_prefill_tokens_ += tokens;
  if (r.computed + tokens == r.prefill_target()) ++batch_completed_prefills_;
}

void WorkerState::RemoveRunning(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  if (r.running_prev != kNoRequest) {
    slab_[r.running_prev].running_next = r.running_next;
  } else {
    running_head_ = r.running_next;
  }
  if (r.running_next != kNoRequest) {
    slab_[r.running_next].running_prev = r.running_prev;
  } else {
    running_tail_ = r.running_prev;
  }
  --running_count_;
}

int64_t WorkerState::oldest_decode_start() const {
  // Requests begin to decode in the order of their admission.
  return running_head_ != kNoRequest && slab_[running_head_].decoding
             ? slab_[running_head_].decode_start
             : decodes_.next_iteration();
}

void WorkerState::KeepAsPadding(int64_t blocks) {
  ++padding_count_;
  padding_blocks_ += blocks;
}

void WorkerState::SchedulePadding() { batch_padding_ = padding_count_; }

void WorkerState::ReleasePadding() {
  pool_.Free(padding_blocks_);
  padding_count_ = 0;
  padding_blocks_ = 0;
}

}  // namespace tokensim
