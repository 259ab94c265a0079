#include "engine/worker/worker_state.h"

#include <algorithm>

#include "engine/base/invariant.h"

namespace tokensim {

WorkerState::WorkerState(RequestSlab& slab, const WorkerStateConfig& config,
                         const LocalSchedulerConfig& scheduler)
    : slab_(slab),
      config_(config),
      max_num_seqs_(scheduler.max_num_seqs),
      swaps_(scheduler.preemption == PreemptionMode::kSwap),
      kv_({.kv_blocks = config.kv_blocks,
           .block_size = config.block_size,
           .prefix_caching = config.prefix_caching,
           .host_blocks = config.host_blocks,
           .watermark = scheduler.watermark,
           .max_memory_ratio = scheduler.max_memory_ratio}),
      queues_(slab, *scheduler.queue_order, config.classes),
      running_(slab,
               {.block_size = config.block_size,
                .tracks_longest = config.tracks_longest,
                .classes = config.classes},
               *scheduler.victim, &queues_),
      latency_(slab, config.pauses_decodes) {}

void WorkerState::Enqueue(RequestHandle handle) {
  slab_[handle].ran_here = false;
  running_.ChargeClasses();  // the place of a class that joins depends on what the others got
  queues_.PushBack(handle);
}

RequestHandle WorkerState::PopFront() {
  if (queues_.front_is_loaded()) kv_.Redeem(front());
  return queues_.PopFront();
}

// ---- Running set

void WorkerState::Admit(RequestHandle handle, int32_t pending_tokens) {
  running_.Append(handle, pending_tokens);
  batch_->changes.push_back(static_cast<int32_t>(batch_->admitted.size()));
  batch_->admitted.push_back(handle);
}

void WorkerState::Join(RequestHandle handle, bool first_gap_apart) {
  latency_.Join(handle, first_gap_apart);
  running_.Join(handle);
}

Stay WorkerState::LeaveDecodes(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  const Stay stay = {r.stay_token, r.decode_start, r.generated};
  latency_.Leave(handle, running_.decodes().next_iteration());
  running_.Leave(handle);
  return stay;
}

void WorkerState::Resume(RequestHandle handle) {
  Admit(handle, /*pending_tokens=*/0);
  slab_[handle].stay_token = kUnset;
  Join(handle, /*first_gap_apart=*/true);
}

// ---- Forming a batch

void WorkerState::BeginBatch(Batch* batch) {
  batch_ = batch;
  batch->Clear();
  if (has_waiting()) running_.ChargeClasses();
}

void WorkerState::AdmitReady() {
  for (RequestHandle handle = queues_.PopReady(); handle != kNoRequest;
       handle = queues_.PopReady()) {
    Resume(handle);
  }
}

bool WorkerState::PreemptForDecodes() {
  // vLLM walks the running set from the head and, when a request finds no block, preempts the tail.
  // The survivors are the same as when tails are dropped until the rest has enough: as long as the
  // walk fails somewhere, the survivors so far need more than there is.
  bool any = false;
  while (decode_blocks_due() > free_blocks()) {
    Preempt(running_.Victim());
    any = true;
  }
  return any;
}

void WorkerState::Preempt(RequestHandle handle) {
  TOKENSIM_INVARIANT(handle != kNoRequest, "preemption with nothing running");
  LiveRequest& r = slab_[handle];
  Preemption preemption{.request = handle};
  const bool decoding = r.decoding;
  if (decoding) {
    preemption.stay = LeaveDecodes(handle);
  } else {
    running_.StopPrefill(handle);
  }
  preemption.generated = r.generated;
  running_.Remove(handle);
  preemption.swapped_blocks = kv_.Drop(&r, decoding && swaps_);
  ++r.preemptions;
  if (!config_.overlap_swap) batch_->swapped_blocks += preemption.swapped_blocks;
  queues_.PushFront(handle);
  batch_->changes.push_back(~static_cast<int32_t>(batch_->preempted.size()));
  batch_->preempted.push_back(preemption);
}

void WorkerState::ScheduleDecodes() {
  DecodeSet& decodes = running_.decodes();
  kv_.pool().Allocate(decodes.blocks_due());
  batch_->decodes = decodes.count();
  batch_->context = decodes.computed_sum() + decodes.count();
  if (config_.tracks_longest) batch_->longest = decodes.longest() + 1;
}

void WorkerState::AddLateDecode(RequestHandle handle) {
  DecodeSet& decodes = running_.decodes();
  const int64_t due = decodes.blocks_due();
  Resume(handle);
  kv_.pool().Allocate(decodes.blocks_due() - due);
  ++batch_->decodes;
  batch_->context += ProgressOf(handle).computed + 1;
  if (config_.tracks_longest) batch_->longest = decodes.longest() + 1;
}

void WorkerState::ContinuePrefill(RequestHandle handle, int32_t tokens) {
  kv_.Extend(slab_[handle], tokens);
  AddChunk(handle, tokens);
}

void WorkerState::AddChunk(RequestHandle handle, int32_t tokens) {
  LiveRequest& r = slab_[handle];
  batch_->chunks.push_back({tokens, r.computed});
  batch_->chunk_requests.push_back(handle);
  batch_->prefill_tokens += tokens;
  if (r.computed + tokens == r.prefill_target()) ++batch_->completed_prefills;
  // As vLLM: findable once scheduled, for the next request already.
  kv_.Register(&r, r.computed + tokens);
}

void WorkerState::AdmitFront(const Admission& admission, int32_t tokens) {
  const RequestHandle handle = PopFront();
  LiveRequest& r = slab_[handle];
  kv_.Admit(&r, admission, tokens);
  const int32_t pending = r.prefill_target() - r.computed;
  Admit(handle, pending);
  if (r.scheduled == kUnset) r.cached_tokens = std::min(admission.cached, r.input_tokens);
  queues_.Charge(r.client_class, pending);
  if (r.kv_source == KvSource::kPool) batch_->fetches.push_back({handle, r.kv_tokens});
  AddChunk(handle, tokens);
  if (tokens < pending) running_.set_unfinished(handle);
}

std::optional<int32_t> WorkerState::AdmitRemoteFront() {
  const LiveRequest& next = front();
  const int32_t tokens = next.resumes() ? next.kv_tokens + 1 : next.prefill_target();
  if (!kv_.HasRoom(BlocksFor(tokens), !next.ran_here, slots_used() == 0)) return std::nullopt;
  const RequestHandle handle = PopFront();
  LiveRequest& r = slab_[handle];
  if (r.kv_source == KvSource::kHost && !config_.overlap_swap) {
    batch_->swapped_blocks += kv_.SwapIn(&r);
    batch_->swapped_in.push_back(handle);
    AddLateDecode(handle);
    return 1;
  }
  kv_.BeginLoad(r);
  queues_.BeginLoad(handle);
  return 0;
}

// ---- What comes out of a batch

void WorkerState::Advance(Batch* batch, SimTime end) {
  if (batch->decodes > 0) {
    running_.Advance();
    const DecodeSet& decodes = running_.decodes();
    for (RequestHandle handle = decodes.NextFinished(); handle != kNoRequest;
         handle = decodes.NextFinished()) {
      batch->finishing_decodes.push_back({handle, LeaveDecodes(handle)});
      running_.BeginLeaving(handle);
    }
  }
  for (size_t i = 0; i < batch->chunks.size(); ++i) {
    const RequestHandle handle = batch->chunk_requests[i];
    if (running_.AddComputed(handle, batch->chunks[i].new_tokens)) {
      CompletePrefill(handle, end, batch);
    }
  }
}

void WorkerState::CompletePrefill(RequestHandle handle, SimTime end, Batch* batch) {
  LiveRequest& r = slab_[handle];
  ++r.generated;
  if (latency_.AddPromptToken(&r, end)) batch->first_tokens.push_back(handle);
  if (r.generated < r.output_tokens && !config_.hands_on_prefills) {
    Join(handle, config_.pauses_decodes);
    return;
  }
  running_.BeginLeaving(handle);
  if (r.generated < r.output_tokens) {
    batch->prefilled.push_back(handle);
  } else {
    batch->finishing_prefills.push_back(handle);
  }
}

// ---- KV caches that come and go

bool WorkerState::ReserveLoad(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  if (has_waiting() || slots_used() >= max_num_seqs_ ||
      !kv_.HasRoom(BlocksFor(r.kv_tokens + 1), /*is_new=*/true, slots_used() == 0)) {
    return false;
  }
  kv_.ReserveLoad(r);
  queues_.ReserveLoad(handle);
  return true;
}

void WorkerState::FinishLoad(RequestHandle handle) {
  LiveRequest& r = slab_[handle];
  const bool resumes = r.resumes();
  TOKENSIM_INVARIANT(resumes || r.kv_source == KvSource::kPool, "a load without a source");
  kv_.FinishLoad(&r);
  queues_.FinishLoad(handle, resumes);
}

void WorkerState::CancelLoad(RequestHandle handle) {
  queues_.CancelLoad(handle);
  kv_.CancelLoad(slab_[handle]);
}

Departure WorkerState::TakeTailDecode() {
  const RequestHandle handle = TailDecode();
  const Departure departure = {handle, LeaveDecodes(handle)};
  running_.Remove(handle);
  return departure;
}

std::vector<Departure> WorkerState::Evacuate() {
  std::vector<Departure> departures;
  std::vector<RequestHandle> handles;
  const auto drop = [&] {
    for (const RequestHandle handle : handles) {
      LiveRequest& r = slab_[handle];
      Stay stay;
      if (r.decoding) stay = LeaveDecodes(handle);
      KvManager::Forget(&r);
      departures.push_back({handle, stay});
    }
    handles.clear();
  };
  running_.AppendTo(&handles);
  drop();  // first: the order of the queue may depend on what these were charged
  queues_.Drain(&handles);
  drop();
  running_.Clear();
  kv_.Clear();
  return departures;
}

}  // namespace tokensim
