#include "engine/worker/worker_state.h"

#include <algorithm>

#include "engine/base/invariant.h"

namespace tokensim {
namespace {

int64_t Share(double share, int64_t blocks) {
  return static_cast<int64_t>(share * static_cast<double>(blocks));
}

}  // namespace

WorkerState::WorkerState(RequestSlab& slab, const WorkerStateConfig& config,
                         const LocalSchedulerConfig& scheduler)
    : slab_(slab),
      config_(config),
      scheduler_(scheduler),
      order_(scheduler.queue_order->Make({})),
      victim_policy_(scheduler.victim->Make({})),
      watermark_blocks_(Share(scheduler.watermark, config.kv_blocks)),
      new_blocks_limit_(Share(scheduler.max_memory_ratio, config.kv_blocks)),
      pool_(config.kv_blocks, config.block_size, config.prefix_caching),
      host_(config.host_blocks),
      decodes_(slab, config.block_size, config.tracks_longest),
      waiting_(scheduler.queue_order->traits().queue, config.classes) {
  if (waiting_.kind() == QueueKind::kFair) {
    class_decodes_.resize(static_cast<size_t>(config.classes));
  }
}

// ---- Queue

void WorkerState::Enqueue(RequestHandle handle) {
  slab_[handle].ran_here = false;
  PushBack(handle);
}

int64_t WorkerState::KeyOf(const LiveRequest& r) const {
  if (waiting_.kind() != QueueKind::kKeyed) return 0;
  return order_->Key({.tokens = r.prefill_target(),
                      .priority = r.priority,
                      .arrival = r.arrival,
                      .deadline = r.deadline,
                      .client_class = r.client_class,
                      .output_tokens = r.output_tokens});
}

void WorkerState::PushBack(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  ChargeClasses();  // the place of a class that joins depends on what the others got
  waiting_.push_back(handle, KeyOf(r), r.client_class);
  if (!r.resumes()) pending_tokens_ += r.prefill_target() - r.computed;
}

void WorkerState::PushFront(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  waiting_.push_front(handle, KeyOf(r), r.client_class);
  if (!r.resumes()) pending_tokens_ += r.prefill_target() - r.computed;
}

RequestHandle WorkerState::PopFront() {
  const RequestHandle handle = loaded_.empty() ? waiting_.front() : loaded_.front();
  const LiveRequest& r = slab_[handle];
  if (loaded_.empty()) {
    waiting_.pop_front();
  } else {
    loaded_.pop_front();
    promised_ -= pool_.BlocksFor(r.prefill_target()) - pool_.BlocksFor(r.computed);
  }
  if (!r.resumes()) pending_tokens_ -= r.prefill_target() - r.computed;
  return handle;
}

// ---- Running set

void WorkerState::AppendRunning(RequestHandle handle) {
  LiveRequest& r = slab_[handle];
  r.ran_here = true;
  r.running_prev = running_tail_;
  r.running_next = kNoRequest;
  if (running_tail_ != kNoRequest) {
    slab_[running_tail_].running_next = handle;
  } else {
    running_head_ = handle;
  }
  running_tail_ = handle;
  ++running_count_;
  batch_->changes.push_back(static_cast<int32_t>(batch_->admitted.size()));
  batch_->admitted.push_back(handle);
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

int64_t WorkerState::OldestDecodeStart() const {
  int64_t oldest = decodes_.next_iteration();
  for (RequestHandle h = running_head_; h != kNoRequest; h = slab_[h].running_next) {
    if (slab_[h].decoding) oldest = std::min(oldest, slab_[h].decode_start);
  }
  return oldest;
}

// ---- Forming a batch

void WorkerState::BeginBatch(Batch* batch) {
  batch_ = batch;
  batch->Clear();
  if (has_waiting()) ChargeClasses();
}

void WorkerState::ChargeClasses() {
  for (size_t i = 0; i < class_decodes_.size(); ++i) ChargeDecodes(static_cast<int32_t>(i));
}

// Virtual Token Counter: an output token counts twice a prompt token. Tokens are charged when
// somebody asks, not as they come: a class gets one for each decode and iteration.
void WorkerState::ChargeDecodes(int32_t client_class) {
  constexpr int64_t kOutputWeight = 2;
  ClassDecodes& c = class_decodes_[static_cast<size_t>(client_class)];
  waiting_.Charge(client_class, kOutputWeight * c.count * (decodes_.next_iteration() - c.charged));
  c.charged = decodes_.next_iteration();
}

void WorkerState::Join(RequestHandle handle, bool first_gap_apart) {
  const int32_t client_class = slab_[handle].client_class;
  if (!class_decodes_.empty()) {
    ChargeDecodes(client_class);
    ++class_decodes_[static_cast<size_t>(client_class)].count;
  }
  slab_[handle].first_gap_apart = first_gap_apart;
  if (first_gap_apart) fresh_.push_back(handle);
  decodes_.Join(handle);
}

Stay WorkerState::LeaveDecodes(RequestHandle handle) {
  LiveRequest& r = slab_[handle];
  const Stay stay = {r.stay_token, r.decode_start, r.generated};
  const bool decoded = decodes_.next_iteration() > r.decode_start;
  if (decoded) {
    // The first gap apart is in max_itl already.
    r.max_itl = std::max(r.max_itl, gaps_.Since(r.decode_start + (r.first_gap_apart ? 1 : 0)));
    r.last_token = last_decode_end_;
  } else if (r.first_gap_apart) {
    std::erase(fresh_, handle);
  }
  if (!class_decodes_.empty()) {
    ChargeDecodes(r.client_class);
    --class_decodes_[static_cast<size_t>(r.client_class)].count;
  }
  decodes_.Leave(handle);
  return stay;
}

void WorkerState::Resume(RequestHandle handle) {
  AppendRunning(handle);
  slab_[handle].stay_token = kUnset;
  Join(handle, /*first_gap_apart=*/true);
}

void WorkerState::AdmitReady() {
  while (!ready_.empty()) {
    const RequestHandle handle = ready_.front();
    ready_.pop_front();
    --loading_;
    Resume(handle);
  }
}

bool WorkerState::PreemptForDecodes() {
  // vLLM walks the running set from the head and, when a request finds no block, preempts the tail.
  // The survivors are the same as when tails are dropped until the rest has enough: as long as the
  // walk fails somewhere, the survivors so far need more than there is.
  bool any = false;
  while (decodes_.blocks_due() > pool_.free()) {
    Preempt(Victim());
    any = true;
  }
  return any;
}

RequestHandle WorkerState::Victim() const {
  RequestHandle victim = running_tail_;
  if (victim == kNoRequest || !scheduler_.victim->traits().looks_at_all) return victim;
  RunningRequest worst = ViewOf(slab_[victim]);
  for (RequestHandle h = slab_[victim].running_prev; h != kNoRequest; h = slab_[h].running_prev) {
    const RunningRequest request = ViewOf(slab_[h]);
    if (!victim_policy_->IsWorse(request, worst)) continue;
    victim = h;
    worst = request;
  }
  return victim;
}

RunningRequest WorkerState::ViewOf(const LiveRequest& r) const {
  return {.priority = r.priority,
          .arrival = r.arrival,
          .client_class = r.client_class,
          .input_tokens = r.input_tokens,
          .generated = r.decoding ? decodes_.Generated(r) : r.generated,
          .computed = r.decoding ? decodes_.Computed(r) : r.computed,
          .preemptions = r.preemptions};
}

void WorkerState::Preempt(RequestHandle handle) {
  TOKENSIM_INVARIANT(handle != kNoRequest, "preemption with nothing running");
  LiveRequest& r = slab_[handle];
  Preemption preemption{.request = handle};
  const bool decoding = r.decoding;
  if (decoding) {
    preemption.stay = LeaveDecodes(handle);
  } else {
    pending_tokens_ -= r.prefill_target() - r.computed;
  }
  preemption.generated = r.generated;
  RemoveRunning(handle);
  if (handle == unfinished_) unfinished_ = kNoRequest;
  const int64_t blocks = pool_.BlocksFor(r.computed);
  const int32_t computed = r.computed;
  Free(TakeHoldings(handle));
  r.computed = 0;
  ++r.preemptions;
  if (decoding && scheduler_.preemption == PreemptionMode::kSwap && host_.CanHold(blocks)) {
    preemption.swapped_blocks = blocks;
    host_.Allocate(blocks);
    r.kv_source = KvSource::kHost;
    r.kv_tokens = computed;
    if (!config_.overlap_swap) batch_->swapped_blocks += blocks;
  }
  PushFront(handle);
  batch_->changes.push_back(~static_cast<int32_t>(batch_->preempted.size()));
  batch_->preempted.push_back(preemption);
}

void WorkerState::ScheduleDecodes() {
  pool_.Allocate(decodes_.blocks_due());
  batch_->decodes = decodes_.count();
  batch_->context = decodes_.computed_sum() + decodes_.count();
  if (config_.tracks_longest) batch_->longest = decodes_.longest() + 1;
}

void WorkerState::AddLateDecode(RequestHandle handle) {
  const int64_t due = decodes_.blocks_due();
  Resume(handle);
  pool_.Allocate(decodes_.blocks_due() - due);
  ++batch_->decodes;
  batch_->context += slab_[handle].computed + 1;
  if (config_.tracks_longest) batch_->longest = decodes_.longest() + 1;
}

void WorkerState::ContinuePrefill(RequestHandle handle, int32_t tokens) {
  const LiveRequest& r = slab_[handle];
  pool_.Allocate(pool_.BlocksFor(r.computed + tokens) - pool_.BlocksFor(r.computed));
  AddChunk(handle, tokens);
}

void WorkerState::AddChunk(RequestHandle handle, int32_t tokens) {
  LiveRequest& r = slab_[handle];
  batch_->chunks.push_back({tokens, r.computed});
  batch_->chunk_requests.push_back(handle);
  batch_->prefill_tokens += tokens;
  if (r.computed + tokens == r.prefill_target()) ++batch_->completed_prefills;
  // As vLLM: findable once scheduled, for the next request already.
  RegisterBlocks(r, r.computed + tokens);
}

// ---- What comes out of a batch

void WorkerState::Start(const Batch& batch, SimTime begin, SimTime end) {
  if (batch.decodes == 0) return;
  // Decodes that an iteration of prompts held up wait since the last one they took part in.
  const bool held_up = config_.pauses_decodes && last_decode_end_ < begin;
  gaps_.Push(decodes_.next_iteration(), held_up ? end - last_decode_end_ : end - begin);
  last_decode_end_ = end;
  for (const RequestHandle handle : fresh_) {
    LiveRequest& r = slab_[handle];
    r.max_itl = std::max(r.max_itl, end - r.last_token);
  }
  fresh_.clear();
}

void WorkerState::Advance(Batch* batch, SimTime end) {
  if (batch->decodes > 0) {
    decodes_.Advance();
    for (RequestHandle handle = decodes_.NextFinished(); handle != kNoRequest;
         handle = decodes_.NextFinished()) {
      batch->finishing_decodes.push_back({handle, LeaveDecodes(handle)});
      RemoveRunning(handle);
      ++leaving_;
    }
  }
  for (size_t i = 0; i < batch->chunks.size(); ++i) {
    LiveRequest& r = slab_[batch->chunk_requests[i]];
    r.computed += batch->chunks[i].new_tokens;
    pending_tokens_ -= batch->chunks[i].new_tokens;
    if (r.computed == r.prefill_target()) CompletePrefill(batch->chunk_requests[i], end, batch);
  }
}

void WorkerState::CompletePrefill(RequestHandle handle, SimTime end, Batch* batch) {
  LiveRequest& r = slab_[handle];
  if (handle == unfinished_) unfinished_ = kNoRequest;
  ++r.generated;
  if (r.first_token == kUnset) {
    r.first_token = end;
    batch->first_tokens.push_back(handle);
  } else {
    r.max_itl = std::max(r.max_itl, end - r.last_token);
  }
  r.last_token = end;
  r.stay_token = end;
  if (r.generated < r.output_tokens && !config_.hands_on_prefills) {
    Join(handle, config_.pauses_decodes);
    return;
  }
  RemoveRunning(handle);
  ++leaving_;
  if (r.generated < r.output_tokens) {
    batch->prefilled.push_back(handle);
  } else {
    batch->finishing_prefills.push_back(handle);
  }
}

RequestHandle WorkerState::TailDecode() const {
  return running_tail_ != kNoRequest && slab_[running_tail_].decoding ? running_tail_ : kNoRequest;
}

Departure WorkerState::TakeTailDecode() {
  const RequestHandle handle = running_tail_;
  const Departure departure = {handle, LeaveDecodes(handle)};
  RemoveRunning(handle);
  return departure;
}

std::vector<Departure> WorkerState::Evacuate() {
  std::vector<Departure> requests;
  const auto drop = [&](RequestHandle handle) {
    LiveRequest& r = slab_[handle];
    Stay stay;
    if (r.decoding) stay = LeaveDecodes(handle);
    r.shared.clear();
    r.registered_blocks = 0;
    r.computed = 0;
    if (r.kv_source == KvSource::kHost) r.kv_source = KvSource::kNone;
    requests.push_back({handle, stay});
  };
  for (RequestHandle h = running_head_; h != kNoRequest; h = slab_[h].running_next) drop(h);
  for (; !ready_.empty(); ready_.pop_front()) drop(ready_.front());
  for (const RequestHandle handle : loading_requests_) drop(handle);
  for (; !loaded_.empty(); loaded_.pop_front()) drop(loaded_.front());
  for (; !waiting_.empty(); waiting_.pop_front()) drop(waiting_.front());
  running_head_ = running_tail_ = unfinished_ = kNoRequest;
  running_count_ = loading_ = outgoing_ = reserved_ = 0;
  loading_requests_.clear();
  loads_begun_.clear();
  padding_.clear();
  pending_tokens_ = promised_ = 0;
  host_.Free(host_.used());
  pool_ = BlockPool(config_.kv_blocks, config_.block_size, config_.prefix_caching);
  return requests;
}

}  // namespace tokensim
