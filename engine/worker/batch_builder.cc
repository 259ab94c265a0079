#include "engine/worker/batch_builder.h"

#include "engine/base/invariant.h"

namespace tokensim {

BatchBuilder::BatchBuilder(RequestSlab& slab, const WorkerStateConfig& config,
                           const LocalSchedulerConfig& scheduler)
    : slab_(slab),
      config_(config),
      swaps_(scheduler.preemption == PreemptionMode::kSwap),
      loading_takes_slot_(scheduler.loading_takes_slot),
      max_num_seqs_(scheduler.max_num_seqs),
      kv_({.kv_blocks = config.kv_blocks,
           .block_size = config.block_size,
           .layout = config.layout,
           .prefix_caching = config.prefix_caching,
           .reuses_unfindable_first = config.reuses_unfindable_first,
           .host_blocks = config.host_blocks,
           .watermark = scheduler.watermark,
           .max_memory_ratio = scheduler.max_memory_ratio}),
      queues_(slab, *scheduler.queue_order, config.classes),
      running_(slab,
               {.block_size = config.block_size,
                .layout = config.layout,
                .windows = config.windows,
                .tracks_longest = config.tracks_longest,
                .classes = config.classes},
               *scheduler.victim, &queues_),
      latency_(slab, config.pauses_decodes),
      waits_(slab) {}

void BatchBuilder::Queue(RequestHandle handle, SimTime now, bool in_front) {
  BeginWait(handle, now);
  if (config_.tracks_waits) queued_blocks_ += QueuedBlocks(slab_[handle]);
  in_front ? queues_.PushFront(handle) : queues_.PushBack(handle);
}

RequestHandle BatchBuilder::PopFront() {
  if (queues_.front_is_loaded()) {
    kv_.Redeem(front());
  } else if (config_.tracks_waits) {
    queued_blocks_ -= QueuedBlocks(front());
  }
  return queues_.PopFront();
}

// ---- Running set

void BatchBuilder::Admit(RequestHandle handle, int32_t pending_tokens) {
  if (config_.tracks_waits) EndWait(handle);
  running_.Append(handle, pending_tokens);
  batch_->changes.push_back(static_cast<int32_t>(batch_->admitted.size()));
  batch_->admitted.push_back(handle);
}

void BatchBuilder::Join(RequestHandle handle, bool first_gap_apart) {
  latency_.Join(handle, first_gap_apart);
  running_.Join(handle);
  kv_.BeginDecode(&slab_[handle]);
}

Stay BatchBuilder::LeaveDecodes(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  const Stay stay = {r.stay_token, r.decode_start, r.generated};
  latency_.Leave(handle, running_.decodes().next_iteration());
  running_.Leave(handle);
  return stay;
}

void BatchBuilder::Resume(RequestHandle handle) {
  Admit(handle, /*pending_tokens=*/0);
  slab_[handle].stay_token = kUnset;
  Join(handle, /*first_gap_apart=*/true);
}

// ---- Forming a batch

void BatchBuilder::AdmitReady() {
  while (queues_.has_ready() && (loading_takes_slot_ || running_.places() < max_num_seqs_)) {
    Resume(queues_.PopReady());
  }
}

bool BatchBuilder::PreemptForDecodes() {
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

void BatchBuilder::Preempt(RequestHandle handle) {
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
  Queue(handle, now_, /*in_front=*/true);
  batch_->changes.push_back(~static_cast<int32_t>(batch_->preempted.size()));
  batch_->preempted.push_back(preemption);
}

void BatchBuilder::ScheduleDecodes() {
  DecodeSet& decodes = running_.decodes();
  kv_.pool().Allocate(decodes.blocks_due());
  batch_->decodes = decodes.count();
  batch_->context = decodes.computed_sum() + decodes.count();
  if (config_.tracks_longest) batch_->longest = decodes.longest() + 1;
  if (decodes.groups() != nullptr && decodes.count() > 0) SetWindows();
}

void BatchBuilder::SetWindows() {
  batch_->windows.clear();
  for (const WindowContext& context : running_.decodes().groups()->windows()) {
    batch_->windows.push_back(context);
  }
}

void BatchBuilder::AddLateDecode(RequestHandle handle) {
  DecodeSet& decodes = running_.decodes();
  const int64_t due = decodes.blocks_due();
  Resume(handle);
  kv_.pool().Allocate(decodes.blocks_due() - due);
  ++batch_->decodes;
  batch_->context += ProgressOf(handle).computed + 1;
  if (config_.tracks_longest) batch_->longest = decodes.longest() + 1;
  if (decodes.groups() != nullptr) SetWindows();
}

void BatchBuilder::ContinuePrefill(RequestHandle handle, int32_t tokens) {
  kv_.Extend(slab_[handle], tokens);
  AddChunk(handle, tokens);
}

void BatchBuilder::AddChunk(RequestHandle handle, int32_t tokens) {
  LiveRequest& r = slab_[handle];
  batch_->chunks.push_back({tokens, r.computed});
  batch_->chunk_requests.push_back(handle);
  batch_->prefill_tokens += tokens;
  if (r.computed + tokens == r.prefill_target()) ++batch_->completed_prefills;
  // As vLLM: findable once scheduled, for the next request already.
  kv_.Register(&r, r.computed + tokens);
}

void BatchBuilder::AdmitFront(const Admission& admission, int32_t tokens) {
  const RequestHandle handle = PopFront();
  LiveRequest& r = slab_[handle];
  kv_.Admit(&r, admission, tokens);
  const int32_t pending = r.prefill_target() - r.computed;
  Admit(handle, pending);
  if (r.scheduled == kUnset) r.cached_tokens = admission.cached;
  queues_.Charge(r.client_class, pending);
  if (r.kv_source == KvSource::kPool) batch_->fetches.push_back({handle, r.kv_tokens});
  AddChunk(handle, tokens);
  if (tokens < pending) running_.set_unfinished(handle);
}

std::optional<int32_t> BatchBuilder::AdmitRemoteFront() {
  const LiveRequest& next = front();
  const int32_t tokens = next.resumes() ? next.kv_tokens + 1 : next.prefill_target();
  if (!kv_.HasRoom(kv_.BlocksToReach(next.kv_tokens, tokens), !next.ran_here, holders() == 0)) {
    return std::nullopt;
  }
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

}  // namespace tokensim
