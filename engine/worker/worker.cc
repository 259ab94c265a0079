#include "engine/worker/worker.h"

#include <algorithm>
#include <utility>

#include "engine/base/invariant.h"

namespace tokensim {
namespace {

WorkerStateConfig StateConfig(const WorkerPlan& plan, const Worker::Context& context) {
  return {.kv_blocks = plan.kv_blocks,
          .block_size = plan.block_size,
          .layout = plan.layout.get(),
          .windows = plan.compute->Windows(),
          .prefix_caching = plan.prefix_caching,
          .reuses_unfindable_first = plan.reuses_unfindable_first,
          .host_blocks = plan.host_blocks,
          .overlap_swap = plan.overlap_swap,
          .blocks_on_pool = context.pool != nullptr,
          .hands_on_prefills = plan.role == Role::kPrefill,
          .pauses_decodes = plan.scheduler.policy->traits().pauses_decodes,
          .tracks_longest = plan.compute->WantsLongestContext(),
          .tracks_waits = plan.scheduler.policy->traits().waits,
          .classes = context.classes};
}

RequestRecord RecordOf(const LiveRequest& r, SimTime finish, SimTime response_delay) {
  const RequestExtras* const extras = r.extras;
  return {.request_id = r.id,
          .arrival = r.arrival,
          .queued = r.queued,
          .scheduled = r.scheduled,
          .first_token = r.first_token + response_delay,
          .finish = finish + response_delay,
          .max_itl = r.max_itl,
          .input_tokens = r.input_tokens,
          .output_tokens = r.output_tokens,
          .cached_tokens = r.cached_tokens,
          .worker = r.worker,
          .preemptions = r.preemptions,
          .reject_reason = RejectReason::kNone,
          .client_class = r.client_class,
          .turn = r.turn,
          .prefill_worker = r.prefill_worker,
          .conversation = r.conversation,
          .kv_transfer = extras == nullptr ? kUnset : extras->kv_transfer,
          .decode_queueing = extras == nullptr ? kUnset : extras->decode_queueing};
}

}  // namespace

Worker::Worker(const WorkerPlan& plan, int32_t index, int32_t timeline_points,
               const Context& context)
    : plan_(plan),
      index_(index),
      compute_(plan.compute.get()),
      max_model_len_(plan.max_model_len),
      most_cached_tokens_(plan.KvTokens()),
      prefills_only_(plan.role == Role::kPrefill),
      forms_ahead_(plan.scheduler.async_depth > 1),
      in_lockstep_(plan.lockstep_first >= 0),
      announces_prefills_(context.layerwise && plan.role == Role::kPrefill && !plan.drops_cache),
      context_(context),
      traits_(plan.scheduler.policy->traits()),
      scheduler_(plan.scheduler.policy->Make(
          {.max_num_seqs = plan.scheduler.max_num_seqs,
           .max_num_batched_tokens = plan.scheduler.max_num_batched_tokens})),
      state_(context.slab, StateConfig(plan, context), plan.scheduler),
      timeline_(timeline_points, plan.host_blocks > 0) {}

RejectReason Worker::CheckFits(int32_t prompt_tokens, int64_t total_tokens) const {
  if (total_tokens > max_model_len_) return RejectReason::kMaxModelLen;
  // The last token is never attended to, so its keys and values are not stored.
  const int64_t most = prefills_only_ ? prompt_tokens : total_tokens - 1;
  return most > most_cached_tokens_ ? RejectReason::kKvCapacity : RejectReason::kNone;
}

bool Worker::Enqueue(RequestHandle handle, SimTime now) {
  Account(now);
  LiveRequest& r = context_.slab[handle];
  r.worker = index_;
  // An engine takes in what has arrived when an iteration ends.
  if (r.queued == kUnset) r.queued = busy_until() == kUnset ? now : busy_until();
  state_.Enqueue(handle, now);
  Publish();
  return Wake();
}

bool Worker::Wake() {
  const bool was_idle = idle_;
  idle_ = false;
  return was_idle;
}

bool Worker::Prepare(SimTime now) {
  stand_by_end_ = kUnset;
  idle_ = waits_ = false;
  wake_up_ = kNever;
  Account(now);
  if (iterating()) Complete(now);
  begin_ = now;
  if (failing_) {
    messages_.push_back({.kind = WorkerMessage::Kind::kFailed});
    return GoIdle();
  }
  const bool picked = Pick(now);
  hurried_ = false;
  return picked;
}

SimTime Worker::Run(SimTime now, SimTime horizon, int64_t limit) {
  bool running = iterating() && Quiet() ? QuietCycle(now) : Cycle(now);
  while (running && end_ < horizon && messages_.empty() && --limit > 0) {
    running = Quiet() ? QuietCycle(end_) : Cycle(end_);
  }
  return running ? end_ : wake_up_;
}

bool Worker::Cycle(SimTime now) {
  if (!Prepare(now)) return false;
  LaunchAlone(now);
  return true;
}

void Worker::Complete(SimTime now) {
  if (context_.observer != nullptr) {
    ObserveFetches(now);
    ObserveIteration(now);
  }
  CountIteration();
  for (const PoolFetch& fetch : current_.fetches) {
    messages_.push_back(
        {.kind = WorkerMessage::Kind::kFetched, .request = fetch.request, .tokens = fetch.tokens});
  }
  if (!forms_ahead_) {
    state_.Advance(&current_, now);
  }
  for (const RequestHandle handle : current_.first_tokens) {
    context_.slab[handle].prefill_worker = index_;
    ++stats_.prefilled;
  }
  if (forms_ahead_ && context_.observer != nullptr) {
    ObserveFirstTokens(now);
    ObserveChanges(now, next_, /*admissions=*/false, /*preemptions=*/true);
  }
  Retire(now);
  TrimLogs();
}

bool Worker::Pick(SimTime now) {
  if (forms_ahead_ && !next_.empty()) {
    std::swap(current_, next_);
    return true;
  }
  // If everyone was preempted, that leaves room for the first; if KV caches began to load, that
  // leaves the batch to what waits behind them.
  while (Form(now, &current_) && current_.empty()) {
  }
  if (!current_.empty()) return true;
  waits_ = state_.wait_until().has_value();
  wake_up_ = state_.wait_until().value_or(kNever);
  Publish();
  return GoIdle();
}

// Side by side, as requests that load before they are scheduled do.
SimTime Worker::FetchFromPool(SimTime now) {
  SimTime end = now;
  for (const PoolFetch& fetch : current_.fetches) {
    context_.slab[fetch.request].kv_source = KvSource::kNone;
    end = std::max(end, context_.pool->FetchFromPool(index_, fetch.tokens, now));
  }
  return end - now;
}

void Worker::Launch(SimTime now, double seconds, SimTime fetch) {
  Start(now, seconds, fetch);
  if (forms_ahead_) {
    state_.Advance(&current_, end_);
    Form(now, &next_);
  }
  Publish();
}

bool Worker::GoIdle() {
  TOKENSIM_INVARIANT(failing_ || waits_ || state_.expects_blocks() || state_.idle(),
                     "a worker with requests has nothing to run");
  TOKENSIM_INVARIANT(!waits_ || plan_.lockstep_first < 0, "a rank in lock-step waits");
  next_.Clear();
  idle_ = true;
  end_ = kUnset;
  return false;
}

bool Worker::Form(SimTime now, Batch* batch) {
  state_.BeginBatch(batch, now, hurried_ || draining_);
  batch->swapped_blocks = std::exchange(swaps_left_, 0);
  if (context_.migration != nullptr) MigrateUnderPressure(now);
  scheduler_->FormBatch(state_);
  stats_.preemptions += static_cast<int64_t>(batch->preempted.size());
  for (const Preemption& p : batch->preempted) stats_.swapped_out_blocks += p.swapped_blocks;
  for (const RequestHandle handle : batch->admitted) {
    LiveRequest& r = context_.slab[handle];
    if (r.scheduled == kUnset) r.scheduled = now;
    r.EndDecodeWait(now);
  }
  for (const RequestHandle handle : batch->swapped_in) {
    stats_.swapped_in_blocks += state_.BlocksFor(context_.slab[handle].kv_tokens);
  }
  if (plan_.overlap_swap) {
    for (const Preemption& p : batch->preempted) {
      if (p.swapped_blocks == 0) continue;
      messages_.push_back({.kind = WorkerMessage::Kind::kSwappedOut,
                           .request = p.request,
                           .blocks = p.swapped_blocks});
    }
  }
  const bool changed = !batch->preempted.empty() || !state_.loads_begun().empty();
  for (const RequestHandle handle : state_.loads_begun()) {
    messages_.push_back({.kind = WorkerMessage::Kind::kLoad, .request = handle});
  }
  state_.ClearLoadsBegun();
  if (batch->empty()) swaps_left_ = batch->swapped_blocks;
  batch->running = state_.running_count();
  batch->waiting = state_.waiting_count();
  if (context_.observer != nullptr) {
    // A batch formed for now has nothing under way.
    ObserveChanges(now, *batch, /*admissions=*/true, /*preemptions=*/batch == &current_);
  }
  return changed;
}

// While there still is room for an iteration or two, the last request moves to where there is more:
// its blocks here are free only when it has arrived there.
void Worker::MigrateUnderPressure(SimTime now) {
  // A batch formed ahead would leave its last token under way, and the target might fail before.
  TOKENSIM_INVARIANT(!forms_ahead_, "migration with batches formed ahead");
  if (state_.running_count() < 2 || state_.expects_blocks()) return;
  if (state_.free_blocks() >= 2 * state_.decode_count()) return;
  const RequestHandle tail = state_.TailDecode();
  const int32_t target = tail == kNoRequest ? -1 : context_.migration->FindTarget(index_, tail);
  if (target < 0) return;
  const Departure departure = state_.TakeTailDecode();
  state_.KeepOutgoing();
  if (context_.observer != nullptr) ObserveStay(now, departure.request, departure.stay);
  messages_.push_back(
      {.kind = WorkerMessage::Kind::kMigrates, .request = departure.request, .target = target});
}

int64_t Worker::BatchTokens() const { return current_.empty() ? 1 : current_.shape().tokens(); }

double Worker::BatchSeconds(int64_t gathered_tokens) const {
  IterationShape shape = current_.shape();
  if (current_.empty()) shape = {.decode_count = 1, .decode_context = 1, .sampled_count = 1};
  shape.gathered_tokens = gathered_tokens;
  double seconds = compute_->IterationSeconds(shape);
  if (!warm_ && !current_.empty()) seconds += plan_.warm_up_seconds;
  // What an empty batch swapped lengthens the next one of this worker, not that of other ranks.
  if (current_.swapped_blocks > 0 && !current_.empty()) {
    const double bytes =
        static_cast<double>(current_.swapped_blocks) * static_cast<double>(plan_.KvBlockBytes());
    seconds += plan_.host_link.latency_seconds;
    if (plan_.host_link.bandwidth_bytes_per_second > 0) {
      seconds += bytes / plan_.host_link.bandwidth_bytes_per_second;
    }
  }
  return seconds;
}

void Worker::Start(SimTime now, double seconds, SimTime fetch) {
  begin_ = now;
  current_.blocks = state_.pool().used();
  warm_ = true;
  const SimTime compute = std::max<SimTime>(1, FromSeconds(seconds));
  compute_begin_ = SumBeforeNever(now, fetch);
  end_ = SumBeforeNever(compute_begin_, compute);
  state_.Start(current_, now, end_);
  if (context_.observer != nullptr && current_.decodes > 0) log_.push_back(end_);
  if (announces_prefills_ && current_.completed_prefills > 0) {
    for (size_t i = 0; i < current_.chunks.size(); ++i) {
      const LiveRequest& r = context_.slab[current_.chunk_requests[i]];
      const PrefillChunk& chunk = current_.chunks[i];
      if (chunk.history + chunk.new_tokens < r.prefill_target()) continue;
      if (r.generated + 1 == r.output_tokens) continue;
      messages_.push_back({.kind = WorkerMessage::Kind::kPrefillStarts,
                           .request = current_.chunk_requests[i],
                           .tokens = r.prefill_target()});
    }
  }
}

Occupancy Worker::occupancy() const {
  return {.running = state_.present_count(),
          .waiting = state_.waiting_count(),
          .loading = state_.loading_count(),
          .held = state_.outgoing_count(),
          .kv_blocks = state_.pool().used()};
}

void Worker::Account(SimTime now) {
  if (now == accounted_) return;
  const Occupancy present = occupancy();
  const SimTime duration = now - accounted_;
  stats_.occupancy.Add(present, duration);
  stats_.max_running = std::max(stats_.max_running, present.running);
  stats_.max_kv_blocks_used = std::max(stats_.max_kv_blocks_used, present.kv_blocks);
  if (iterating()) stats_.busy += duration;
  timeline_.Add(accounted_, now, present, iterating(), state_.host().used());
  accounted_ = now;
}

void Worker::CountIteration() {
  ++stats_.iterations;
  stats_.decode_tokens += current_.decodes;
  stats_.prefill_tokens += current_.prefill_tokens;
}

bool Worker::Quiet() const {
  if (!traits_.steady_decodes || context_.observer != nullptr || failing_ ||
      state_.waiting_count() > 0 || current_.waiting > 0 || state_.decodes().MayFinishNext() ||
      !current_.chunks.empty() || context_.migration != nullptr) {
    return false;
  }
  if (!forms_ahead_) return true;
  return current_.finishing_decodes.empty() && next_.chunks.empty() && !next_.empty() &&
         next_.swapped_blocks == 0;
}

bool Worker::QuietCycle(SimTime now) {
  Account(now);
  CountIteration();
  begin_ = now;
  if (!forms_ahead_) {
    state_.AdvanceQuiet();
    if (state_.decode_blocks_due() > state_.free_blocks()) {
      if (!Pick(now)) return false;
      LaunchAlone(now);
      return true;
    }
    ScheduleQuiet(now, &current_);
    Start(now, BatchSeconds(0), 0);
  } else {
    std::swap(current_, next_);
    Start(now, BatchSeconds(0), 0);
    state_.AdvanceQuiet();
    ScheduleQuiet(now, &next_);
  }
  context_.signals.kv_used[static_cast<size_t>(index_)] = state_.pool().used();
  return true;
}

void Worker::ScheduleQuiet(SimTime now, Batch* batch) {
  if (state_.decode_blocks_due() > state_.free_blocks()) {
    Form(now, batch);
    Publish();
    return;
  }
  state_.BeginQuietBatch(batch);
  state_.ScheduleDecodes();
  batch->running = state_.running_count();
  batch->waiting = 0;
  if (state_.padding_count() > 0) state_.SchedulePadding();
}

void Worker::Retire(SimTime now) {
  Observer* const observer = context_.observer;
  for (const Departure& departure : current_.finishing_decodes) {
    if (observer != nullptr) ObserveStay(now, departure.request, departure.stay);
    Finish(departure.request, now);
  }
  if (plan_.scheduler.async_depth == 1 && observer != nullptr) ObserveFirstTokens(now);
  for (const RequestHandle handle : current_.finishing_prefills) {
    const LiveRequest& r = context_.slab[handle];
    if (observer != nullptr) ObserveStay(now, handle, {r.stay_token, -1, r.generated});
    Finish(handle, now);
  }
  for (const RequestHandle handle : current_.prefilled) {
    LiveRequest& r = context_.slab[handle];
    if (observer != nullptr) ObserveStay(now, handle, {r.stay_token, -1, r.generated});
    state_.Leave();
    if (plan_.drops_cache) {
      state_.Free(state_.TakeHoldings(handle));
      r.computed = 0;
    } else {
      state_.KeepOutgoing();
    }
    TakeOffSignals(r);
    messages_.push_back({.kind = WorkerMessage::Kind::kPrefilled, .request = handle});
  }
}

void Worker::Finish(RequestHandle handle, SimTime now) {
  const RequestRecord record = RecordOf(context_.slab[handle], now, context_.response_delay);
  context_.ended.Add(record);
  if (context_.observer != nullptr) context_.observer->OnEvent(now, FinishedEvent{record});
  Holdings holdings = state_.TakeHoldings(handle);
  if (traits_.keeps_finished) {
    state_.KeepAsPadding(std::move(holdings));
  } else {
    state_.Free(holdings);
  }
  state_.Leave();
  TakeOffSignals(context_.slab[handle]);
  ++stats_.finished;
  if (context_.report_ends) {
    messages_.push_back({.kind = WorkerMessage::Kind::kEnded, .request = handle});
  } else {
    context_.slab.Free(handle);
  }
}

void Worker::TakeOffSignals(const LiveRequest& r) {
  context_.signals.AddOutstanding(static_cast<size_t>(index_), -1, -r.sent_kv_tokens);
}

void Worker::Publish() {
  const auto i = static_cast<size_t>(index_);
  context_.signals.waiting[i] = state_.waiting_count();
  context_.signals.kv_used[i] = state_.pool().used();
  context_.signals.outstanding_tokens[i] = state_.pending_tokens();
}

WorkerSnapshot Worker::Snapshot() const {
  const PrefixCache* cache = state_.pool().cache();
  const Occupancy present = occupancy();
  return {.kv_blocks_used = present.kv_blocks,
          .kv_blocks_total = state_.pool().total(),
          .running = present.running,
          .waiting = present.waiting,
          .loading = present.loading,
          .held = present.held,
          .host_blocks_used = state_.host().used(),
          .host_blocks_total = state_.host().total(),
          .cached_blocks = cache != nullptr ? cache->cached_free() : 0};
}

void Worker::TrimLogs() {
  // Looking for the oldest is worth it when the stack has doubled.
  constexpr size_t kTrimGapsAbove = 4096;
  LatencyLog& latency = state_.latency();
  if (latency.size() > trim_gaps_at_) {
    latency.DropBefore(state_.OldestDecodeStart());
    trim_gaps_at_ = std::max(kTrimGapsAbove, 2 * latency.size());
  }
  if (log_.size() > trim_log_at_) {
    const int64_t drop = state_.OldestDecodeStart() - log_first_;
    log_.erase(log_.begin(), log_.begin() + static_cast<std::ptrdiff_t>(drop));
    log_first_ += drop;
    trim_log_at_ = log_.size() + kTrimLogEvery;
  }
}

}  // namespace tokensim
