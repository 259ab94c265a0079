#include "engine/core/worker.h"

#include <algorithm>

#include "engine/base/invariant.h"

namespace tokensim {

Worker::Worker(const WorkerPlan& plan, int32_t index, int32_t timeline_points,
               const Context& context)
    : plan_(plan),
      index_(index),
      context_(context),
      scheduler_(MakeLocalScheduler(plan.scheduler)),
      state_(context.slab, plan.kv_blocks, plan.block_size),
      timeline_(timeline_points) {}

RejectReason Worker::CheckFits(int32_t input_tokens, int32_t output_tokens) const {
  const int64_t length = int64_t{input_tokens} + output_tokens;
  if (length > plan_.max_model_len) return RejectReason::kMaxModelLen;
  // The last token is never attended to, so its keys and values are not stored.
  if ((length - 1 + plan_.block_size - 1) / plan_.block_size > plan_.kv_blocks) {
    return RejectReason::kKvCapacity;
  }
  return RejectReason::kNone;
}

bool Worker::Enqueue(RequestHandle handle, SimTime now) {
  state_.Enqueue(handle);
  if (iterating()) timeline_.AddWaiting(now, end_, 1);
  const bool was_idle = idle_;
  idle_ = false;
  return was_idle;
}

SimTime Worker::Run(SimTime now, SimTime horizon, int64_t limit) {
  if (iterating()) Complete(now);
  bool running = Form(now);
  while (running && end_ < horizon && --limit > 0) {
    now = end_;
    if (Quiet()) {
      CompleteQuiet(now);
      running = FormQuiet(now);
    } else {
      Complete(now);
      running = Form(now);
    }
  }
  return running ? end_ : kNever;
}

bool Worker::Form(SimTime now) {
  begin_ = now;
  state_.set_now(now);
  state_.BeginBatch();
  scheduler_->FormBatch(state_);
  stats_.preemptions += static_cast<int64_t>(state_.preempted().size());
  for (const RequestHandle handle : state_.admitted()) {
    LiveRequest& r = context_.slab[handle];
    if (r.scheduled == kUnset) r.scheduled = now;
  }
  if (context_.observer != nullptr) ObserveBatch(now);
  if (state_.batch_empty()) {
    TOKENSIM_INVARIANT(!state_.has_waiting() && state_.running_count() == 0,
                       "a worker with requests has nothing to run");
    idle_ = true;
    end_ = kUnset;
    return false;
  }
  batch_running_ = state_.running_count() + state_.padding_count();
  batch_waiting_ = state_.waiting_count();
  stats_.max_running = std::max(stats_.max_running, batch_running_);
  Start(now);
  return true;
}

void Worker::Start(SimTime now) {
  begin_ = now;
  batch_blocks_ = state_.pool().used();
  stats_.max_kv_blocks_used = std::max(stats_.max_kv_blocks_used, batch_blocks_);
  const double seconds = plan_.compute->IterationSeconds(state_.shape());
  const SimTime duration = std::max<SimTime>(1, FromSeconds(seconds));
  TOKENSIM_INVARIANT(duration < kNever - now, "simulated time overflows");
  end_ = now + duration;
}

void Worker::Account(SimTime now) {
  const SimTime duration = now - begin_;
  const double seconds = ToSeconds(duration);
  stats_.busy += duration;
  stats_.running_integral += seconds * batch_running_;
  stats_.kv_blocks_integral += seconds * static_cast<double>(batch_blocks_);
  timeline_.AddIteration(begin_, now, batch_running_, static_cast<double>(batch_blocks_));
  ++stats_.iterations;
  stats_.decode_tokens += state_.batch_decodes();
  if (state_.batch_decodes() > 0) {
    state_.gaps().Push(state_.decodes().next_iteration(), duration);
  }
}

bool Worker::Quiet() const {
  return context_.observer == nullptr && state_.chunks().empty() && !state_.has_waiting() &&
         !state_.decodes().MayFinishNext();
}

void Worker::CompleteQuiet(SimTime now) {
  Account(now);
  state_.decodes().Advance();
}

bool Worker::FormQuiet(SimTime now) {
  if (state_.decode_blocks_due() > state_.free_blocks()) return Form(now);
  state_.ScheduleDecodes();
  Start(now);
  return true;
}

void Worker::Complete(SimTime now) {
  if (context_.observer != nullptr) {
    log_.push_back(now);
    ObserveIteration(now);
  }
  Account(now);
  if (batch_waiting_ > 0) timeline_.AddWaiting(begin_, now, batch_waiting_);
  DecodeSet& decodes = state_.decodes();
  decodes.Advance();
  while (true) {
    const RequestHandle handle = decodes.NextFinished();
    if (handle == kNoRequest) break;
    LiveRequest& r = context_.slab[handle];
    r.max_itl = std::max(r.max_itl, state_.gaps().Since(r.decode_start));
    if (context_.observer != nullptr) ObserveTokens(now, r.id, r.decode_start, r.generated);
    decodes.Leave(handle);
    Finish(handle, now);
  }
  if (!state_.chunks().empty()) CompletePrefills(now);
  TrimLogs();
}

void Worker::CompletePrefills(SimTime now) {
  for (size_t i = 0; i < state_.chunks().size(); ++i) {
    const RequestHandle handle = state_.chunk_requests()[i];
    LiveRequest& r = context_.slab[handle];
    const int32_t tokens = state_.chunks()[i].new_tokens;
    stats_.prefill_tokens += tokens;
    r.computed += tokens;
    if (r.computed < r.prefill_target()) continue;
    ++r.generated;
    if (r.first_token == kUnset) {
      r.first_token = now;
      if (context_.observer != nullptr) context_.observer->OnFirstToken(now, r.id, index_);
    } else {
      r.max_itl = std::max(r.max_itl, now - r.last_token);
    }
    if (r.generated < r.output_tokens) {
      state_.decodes().Join(handle);
    } else {
      if (context_.observer != nullptr) {
        ObserveTokens(now, r.id, state_.decodes().next_iteration(), r.generated);
      }
      Finish(handle, now);
    }
  }
}

void Worker::Finish(RequestHandle handle, SimTime now) {
  const LiveRequest& r = context_.slab[handle];
  context_.records.push_back({.request_id = r.id,
                              .arrival = r.arrival,
                              .queued = r.arrival,
                              .scheduled = r.scheduled,
                              .first_token = r.first_token,
                              .finish = now,
                              .max_itl = r.max_itl,
                              .input_tokens = r.input_tokens,
                              .output_tokens = r.output_tokens,
                              .cached_tokens = 0,
                              .worker = index_,
                              .preemptions = r.preemptions,
                              .reject_reason = RejectReason::kNone});
  if (context_.observer != nullptr) context_.observer->OnFinished(now, context_.records.back());
  state_.RemoveRunning(handle);
  scheduler_->ReleaseFinished(state_, state_.BlocksFor(r.computed));
  context_.slab.Free(handle);
  --context_.outstanding[static_cast<size_t>(index_)];
  ++stats_.finished;
}

WorkerSnapshot Worker::Snapshot() const {
  return {.kv_blocks_used = state_.pool().used(),
          .kv_blocks_total = state_.pool().total(),
          .running = state_.running_count(),
          .waiting = state_.waiting_count()};
}

void Worker::ObserveIteration(SimTime now) {
  const IterationShape shape = state_.shape();
  context_.observer->OnIteration(now, {.worker = index_,
                                       .index = stats_.iterations,
                                       .duration = now - begin_,
                                       .prefill_tokens = shape.prefill_tokens,
                                       .prefill_chunks = static_cast<int32_t>(shape.prefill.size()),
                                       .decode_tokens = shape.decode_count,
                                       .kv_blocks_used = batch_blocks_,
                                       .running = batch_running_,
                                       .waiting = batch_waiting_});
}

void Worker::ObserveBatch(SimTime now) {
  for (const Preemption& p : state_.preempted()) {
    const int64_t id = context_.slab[p.request].id;
    if (p.decode_start >= 0) ObserveTokens(now, id, p.decode_start, p.tokens_before);
    context_.observer->OnPreempted(now, id, index_, p.generated);
  }
  for (const RequestHandle handle : state_.admitted()) {
    context_.observer->OnScheduled(now, context_.slab[handle].id, index_);
  }
}

void Worker::ObserveTokens(SimTime now, int64_t request_id, int64_t decode_start,
                           int32_t tokens_before) {
  const auto first = static_cast<size_t>(decode_start - 1 - log_first_);
  context_.observer->OnTokens(now, {.request_id = request_id,
                                    .worker = index_,
                                    .first_token_index = tokens_before - 1,
                                    .times = std::span(log_).subspan(first)});
}

void Worker::TrimLogs() {
  constexpr size_t kTrimAbove = 4096;
  if (state_.gaps().size() > kTrimAbove) state_.gaps().DropBefore(state_.oldest_decode_start());
  if (log_.size() > kTrimAbove) {
    // A request that begins to decode now has its first token in the last iteration.
    const auto drop = static_cast<size_t>(state_.oldest_decode_start() - 1 - log_first_);
    if (drop < log_.size() / 2) return;
    log_.erase(log_.begin(), log_.begin() + static_cast<std::ptrdiff_t>(drop));
    log_first_ += static_cast<int64_t>(drop);
  }
}

}  // namespace tokensim
