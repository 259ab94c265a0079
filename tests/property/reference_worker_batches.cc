// How the reference's local schedulers form a batch: who goes on, who is preempted, who is
// admitted.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "engine/worker/local_scheduler.h"
#include "engine/worker/victim.h"
#include "tests/property/reference_worker.h"

namespace tokensim {

void ReferenceWorker::FormChunked() {
  AdmitReady();
  bool preempted = PreemptForDecodes();
  ScheduleDecodes();
  int64_t budget = plan_.scheduler.max_num_batched_tokens - decodes();
  const auto unfinished =
      std::find_if(running_.begin(), running_.end(), [](const auto* r) { return !r->decodes(); });
  if (unfinished != running_.end() && budget > 0) {
    ReferenceRequest* request = *unfinished;
    const int64_t tokens = std::min(request->target - request->computed, budget);
    if (BlocksInStep(plan_, request->computed, request->computed + tokens) -
            request->held.blocks() >
        blocks_.free()) {
      Preempt(request);
      preempted = true;
    } else {
      Grow(request, tokens);
      Compute(request, tokens);
      budget -= tokens;
    }
  }
  while (!preempted && has_waiting() && budget > 0 && slots() < plan_.scheduler.max_num_seqs) {
    const ReferenceRequest& front = *Front();
    if (FrontIsStored()) {
      const size_t steps = forming_->steps.size();
      if (!AdmitStored()) return;
      budget -= static_cast<int64_t>(forming_->steps.size() - steps);  // its decode, if any
      continue;
    }
    const int64_t cached = Cached(front);
    const int64_t tokens = std::min(front.to_compute() - cached, budget);
    const bool whole =
        plan_.scheduler.policy->values().flag("reserve_full_prompt") || holders() == 0;
    const int64_t reserved = whole ? front.to_compute() : cached + tokens;
    if (!Admit(tokens, cached, reserved)) return;
    budget -= tokens;
  }
}

void ReferenceWorker::FormOrca() {
  AdmitReady();
  const bool preempted = PreemptForDecodes();
  ScheduleDecodes();
  if (!preempted) AdmitWholePrompts(/*stop_at_swapped=*/false);
}

void ReferenceWorker::FormVllmV0() {
  if (AdmitWholePrompts(/*stop_at_swapped=*/true)) return;
  AdmitReady();
  const bool preempted = PreemptForDecodes();
  ScheduleDecodes();
  while (!preempted && has_waiting() && slots() < plan_.scheduler.max_num_seqs && FrontIsStored() &&
         AdmitStored()) {
  }
}

void ReferenceWorker::FormStatic() {
  PreemptForDecodes();
  if (!running_.empty()) {
    ScheduleDecodes();
    forming_->padding = static_cast<int64_t>(padding_.size());
    return;
  }
  for (ReferenceHoldings& holdings : padding_) blocks_.GiveBack(&holdings);
  padding_.clear();
  if (IsIncomplete()) return;
  AdmitReady();
  const bool preempted = PreemptForDecodes();
  ScheduleDecodes();
  if (!preempted) AdmitWholePrompts(/*stop_at_swapped=*/false);
}

// Whether a batch that waits until it is full is to wait now. KV caches come here meanwhile.
bool ReferenceWorker::IsIncomplete() {
  if (plan_.scheduler.policy->values().choice("static.wait") != "full") return false;
  while (has_waiting() && slots() < plan_.scheduler.max_num_seqs && FrontIsStored() &&
         (Front()->home != CacheHome::kHost || plan_.overlap_swap) && AdmitStored()) {
  }
  if (holders() == 0 && !has_waiting()) return false;
  const SimTime due = TimeOut();
  if (!hurried_ && !draining_ && now_ < due && !IsFull()) {
    waits_ = true;
    wake_up_ = due;
    return true;
  }
  return !loading_.empty();
}

// When the first of those that are here has waited long enough.
SimTime ReferenceWorker::TimeOut() const {
  const double seconds = plan_.scheduler.policy->values().real("static.timeout_seconds");
  if (seconds == 0) return kNever;
  SimTime first = kNever;
  for (const ReferenceRequest* request : waiting_.requests()) {
    first = std::min(first, request->waits_since);
  }
  for (const auto* queue : {&loaded_, &loading_, &ready_}) {
    for (const ReferenceRequest* request : *queue) {
      if (request->reserved_at != index_) first = std::min(first, request->waits_since);
    }
  }
  return first == kNever ? kNever : first + FromSeconds(seconds);
}

bool ReferenceWorker::IsFull() const {
  int64_t requests = holders();
  int64_t tokens = 0;
  int64_t blocks = 0;
  for (const ReferenceRequest* request : waiting_.requests()) {
    ++requests;
    if (!request->resumes()) tokens += request->to_compute();
    blocks += request->resumes() ? BlocksToReach(plan_, request->stored, request->stored + 1)
                                 : BlocksToReach(plan_, 0, request->to_compute());
  }
  for (const ReferenceRequest* request : loaded_) {
    ++requests;
    tokens += request->to_compute() - request->computed;
  }
  const LocalSchedulerConfig& scheduler = plan_.scheduler;
  if (requests >= scheduler.max_num_seqs) return true;
  if (scheduler.max_num_batched_tokens > 0 && tokens >= scheduler.max_num_batched_tokens) {
    return true;
  }
  return !HasRoom(blocks, /*is_new=*/true, /*alone=*/false);
}

// Returns whether a prompt was admitted.
bool ReferenceWorker::AdmitWholePrompts(bool stop_at_swapped) {
  auto batched = static_cast<int64_t>(forming_->steps.size());  // decodes
  bool admitted = false;
  while (has_waiting() && slots() < plan_.scheduler.max_num_seqs) {
    const ReferenceRequest& front = *Front();
    if (stop_at_swapped && front.home == CacheHome::kHost) break;
    if (FrontIsStored()) {
      const size_t steps = forming_->steps.size();
      if (!AdmitStored()) break;
      batched += static_cast<int64_t>(forming_->steps.size() - steps);  // its decode, if any
      continue;
    }
    const int64_t cached = Cached(front);
    const int64_t tokens = front.to_compute() - cached;
    if (!Within(batched, tokens) || !Admit(tokens, cached, front.to_compute())) break;
    batched += tokens;
    admitted = true;
  }
  return admitted;
}

void ReferenceWorker::AdmitReady() {
  const LocalSchedulerConfig& scheduler = plan_.scheduler;
  while (!ready_.empty() && (scheduler.loading_takes_slot || slots() < scheduler.max_num_seqs)) {
    Resume(ready_.front());
    ready_.erase(ready_.begin());
  }
}

void ReferenceWorker::Resume(ReferenceRequest* request) {
  request->target = request->computed;
  request->decodes_since = decode_joins_++;
  running_.push_back(request);
  request->ran_here = true;
}

// vLLM walks the running set from its head (vllm/v1/core/sched/scheduler.py, schedule): a request
// that finds no block preempts the tail, in the end itself. When the victims are not the tail, or
// the walk would mix what is taken with what becomes findable, they go first.
bool ReferenceWorker::PreemptForDecodes() {
  const bool walks = plan_.scheduler.victim->name() == "last_admitted" && !plan_.prefix_caching;
  return walks ? WalkDecodes() : PreemptUntilDecodesFit();
}

bool ReferenceWorker::WalkDecodes() {
  bool preempted = false;
  for (size_t i = 0; i < running_.size(); ++i) {
    ReferenceRequest* request = running_[i];
    if (!request->decodes()) continue;
    while (Needs(*request) > blocks_.free()) {
      ReferenceRequest* last = running_.back();
      Preempt(last);
      preempted = true;
      if (last == request) return true;
    }
    Grow(request, 1);
  }
  return preempted;
}

bool ReferenceWorker::PreemptUntilDecodesFit() {
  bool preempted = false;
  while (true) {
    int64_t free = blocks_.free();
    bool fits = true;
    for (const ReferenceRequest* request : running_) {
      if (!request->decodes()) continue;
      free -= Needs(*request);
      fits = fits && free >= 0;
    }
    if (fits) return preempted;
    Preempt(Victim());
    preempted = true;
  }
}

ReferenceRequest* ReferenceWorker::Victim() const {
  ReferenceRequest* victim = running_.back();
  if (plan_.scheduler.victim->name() == "last_admitted") return victim;
  for (ReferenceRequest* request : running_) {
    const auto rank = [](const ReferenceRequest* r) {
      return std::pair(r->priority, r->record.arrival);
    };
    if (rank(request) >= rank(victim)) victim = request;
  }
  return victim;
}

void ReferenceWorker::ScheduleDecodes() {
  for (ReferenceRequest* request : running_) {
    if (!request->decodes()) continue;
    Grow(request, 1);
    forming_->steps.push_back({request, 1, request->computed, true});
  }
}

void ReferenceWorker::Preempt(ReferenceRequest* request) {
  const bool decoding = request->decodes();
  const int64_t blocks = request->held.blocks();
  EXPECT_EQ(blocks, BlocksOf(request->computed));
  std::erase(running_, request);
  OfferBlocks(request, request->computed);
  blocks_.GiveBack(&request->held);
  ++request->record.preemptions;
  ++stats_.preemptions;
  if (decoding && plan_.scheduler.preemption == PreemptionMode::kSwap &&
      host_used_ + blocks <= plan_.host_blocks) {
    host_used_ += blocks;
    stats_.max_host_blocks_used = std::max(stats_.max_host_blocks_used, host_used_);
    stats_.swapped_out_blocks += blocks;
    request->home = CacheHome::kHost;
    request->stored = request->computed;
    if (plan_.overlap_swap) {
      messages_.push_back({ReferenceMessage::Kind::kSwapOut, request, blocks});
    } else {
      forming_->swapped_blocks += blocks;
    }
  }
  request->computed = 0;
  request->offered = 0;
  request->target = request->to_compute();
  request->waits_since = now_;
  waiting_.Return(request);
}

}  // namespace tokensim
