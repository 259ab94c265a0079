// The requests of one worker, and the batch that is formed of them: what a local scheduler works on.
//
// A request goes through these states, each kept by the type at the right:
//
//             Enqueue                                                        from another worker
//                |                                                                    |
//                v           AdmitRemoteFront                                    ReserveLoad
//     +----> waiting ------------------------------> loading <------------------------+
//     |      |    |                                  |     |
//     |      |    | AdmitRemoteFront      FinishLoad |     | FinishLoad (its whole cache)   Queues
//     |      |    | (swapped in at once) (beginning  |     |
//     |      |    |                     of a prompt) v     v
//     |      |    |                              loaded   ready
//     |      |    |                                |       |
//     |      | AdmitFront                AdmitFront|       | AdmitReady
//     |      v    |                                |       |
//     |    prefill|  <-----------------------------+       |
//     |      |    |                                        |
//     |      |    +--------------+                         |
//     |      | Advance (prompt   |                         |                           RunningSet
//     |      | complete)         v                         |
//     |      +---------------> decode <--------------------+
//     |      |                  | | |
//     |      |    Preempt       | | |  TakeTailDecode, KeepOutgoing
//     +------+------------------+ | +---------------------------------> outgoing         KvManager
//            |                    |                                     ^    |
//            | Advance (only one  | Advance (last token)                |    | FreeOutgoing
//            | token to give, or  v                                     |    v
//            | handed on) -----> leaving -------------------------------+   gone
//                                 |        Leave, KeepOutgoing
//                                 | TakeHoldings, Free, Leave
//                                 v
//                                gone
//
// CancelLoad takes a request out of loading; Evacuate takes out all of them, wherever they are.
// Prefill and decode are the running set. The batch is the iteration being formed: all decodes or
// none, and chunks of prompts. A scheduler's FormBatch calls the operations below;
// engine/worker/worker.cc runs the batch.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "engine/run/plan.h"
#include "engine/worker/batch.h"
#include "engine/worker/kv_manager.h"
#include "engine/worker/latency_log.h"
#include "engine/worker/live_request.h"
#include "engine/worker/queues.h"
#include "engine/worker/running_set.h"

namespace tokensim {

struct WorkerStateConfig {
  int64_t kv_blocks = 0;
  int32_t block_size = 16;
  bool prefix_caching = false;
  int64_t host_blocks = 0;
  bool overlap_swap = false;
  bool blocks_on_pool = false;     // what the memory pool has is fetched before the batch starts
  bool hands_on_prefills = false;  // a request leaves for another worker after its prompt
  bool pauses_decodes = false;     // some iterations run prompts only
  bool tracks_longest = false;     // batches say the longest context of their decodes
  int32_t classes = 1;             // of clients
};

class WorkerState {
 public:
  WorkerState(RequestSlab& slab, const WorkerStateConfig& config,
              const LocalSchedulerConfig& scheduler);
  // Its parts refer to each other.
  WorkerState(const WorkerState&) = delete;
  WorkerState& operator=(const WorkerState&) = delete;

  // ---- For schedulers

  [[nodiscard]] int64_t free_blocks() const { return kv_.pool().free(); }
  // Of them, kept for the rest of prompts whose beginning loads or is loaded.
  [[nodiscard]] int64_t promised_blocks() const { return kv_.promised(); }
  [[nodiscard]] int64_t BlocksFor(int32_t tokens) const { return kv_.BlocksFor(tokens); }
  // Requests that take a place of max_num_seqs.
  [[nodiscard]] int32_t slots_used() const { return running_.places() + queues_.places(); }
  [[nodiscard]] int32_t running_count() const { return running_.count(); }
  [[nodiscard]] int32_t decode_count() const { return running_.decodes().count(); }
  [[nodiscard]] int64_t decode_blocks_due() const { return running_.decodes().blocks_due(); }

  [[nodiscard]] bool has_waiting() const { return queues_.has_waiting(); }
  [[nodiscard]] const LiveRequest& front() const { return slab_[queues_.front()]; }
  // The KV cache of the front is elsewhere, and is loaded before it is scheduled.
  [[nodiscard]] bool front_is_remote() const {
    const KvSource source = front().kv_source;
    return source != KvSource::kNone && !(config_.blocks_on_pool && source == KvSource::kPool);
  }
  // ... in the host memory of this worker.
  [[nodiscard]] bool front_is_swapped() const { return front().kv_source == KvSource::kHost; }

  // The first running request whose prompt is not complete; else kNoRequest.
  [[nodiscard]] RequestHandle unfinished_prefill() const { return running_.unfinished(); }
  [[nodiscard]] const LiveRequest& request(RequestHandle handle) const { return slab_[handle]; }
  // How far a request is, which its own fields do not say while it decodes.
  [[nodiscard]] TokenProgress ProgressOf(RequestHandle handle) const {
    return running_.ProgressOf(slab_[handle]);
  }

  // Takes the loaded requests into the running set. First of all.
  void AdmitReady();
  // Preempts until the decodes have the blocks they need. True if any was preempted.
  bool PreemptForDecodes();
  // A running request's KV cache is dropped or swapped out, and it goes to the front of the queue.
  void Preempt(RequestHandle handle);
  // Every decode gets its block, if due, and one token in this batch.
  void ScheduleDecodes();
  // The next `tokens` of a running request's prompt.
  void ContinuePrefill(RequestHandle handle, int32_t tokens);

  // What the front, which is not remote, needs; looks into the prefix cache.
  [[nodiscard]] Admission PlanFront() { return kv_.Plan(front()); }
  // Whether `tokens` of the front's cache may be allocated: blocks, watermark and, for a request
  // that did not run here yet, max_memory_ratio. A worker where nothing runs or loads admits what
  // fits.
  [[nodiscard]] bool Fits(const Admission& admission, int32_t tokens) const {
    return kv_.Fits(front(), admission, tokens, slots_used() == 0);
  }
  // Moves the front of the queue to the running set with the next `tokens` of its target.
  void AdmitFront(const Admission& admission, int32_t tokens);
  // Starts to load the remote front, or swaps it in to decode in this batch: the tokens of it that
  // this batch computes, 0 or 1. Nothing: there is no room. Call after ScheduleDecodes.
  std::optional<int32_t> AdmitRemoteFront();

  // Static batching: rows and blocks of finished members, kept until the batch ends.
  [[nodiscard]] int32_t padding_count() const { return kv_.padding_count(); }
  void KeepAsPadding(Holdings holdings) { kv_.KeepAsPadding(std::move(holdings)); }
  void SchedulePadding() { batch_->padding = padding_count(); }
  void ReleasePadding() { kv_.ReleasePadding(); }

  // ---- For the worker

  // What follows goes into `batch`, which must live until the next call.
  void BeginBatch(Batch* batch);
  // The same for a batch of decodes alone that follows another one; what forming that one did stays
  // noted.
  void BeginQuietBatch(Batch* batch) {
    batch_ = batch;
    batch->swapped_blocks = 0;
  }
  // A batch begins to run, or is about to: notes its token gaps.
  void Start(const Batch& batch, SimTime begin, SimTime end) {
    if (batch.decodes > 0) {
      latency_.AddIteration(running_.decodes().next_iteration(), begin, end);
    }
  }
  // Takes note of the outcome of a batch that ends at `end`.
  void Advance(Batch* batch, SimTime end);
  // The same for a batch of decodes alone in which nobody finishes.
  void AdvanceQuiet() { running_.Advance(); }
  // A request of batch.finishing or batch.prefilled gives up its slot.
  void Leave() { running_.EndLeaving(); }
  // What a request holds; it holds nothing afterwards. Full blocks become findable.
  [[nodiscard]] Holdings TakeHoldings(RequestHandle handle) { return kv_.Take(&slab_[handle]); }
  void Free(const Holdings& holdings) { kv_.Free(holdings); }
  // Blocks kept for a request that is elsewhere.
  void KeepOutgoing() { kv_.KeepOutgoing(); }
  void FreeOutgoing(const Holdings& holdings) { kv_.FreeOutgoing(holdings); }

  void Enqueue(RequestHandle handle);
  // Room for the KV cache of a request that skips the queue, and still runs elsewhere.
  bool ReserveLoad(RequestHandle handle);
  // It runs there no longer.
  void BeginReservedLoad() { queues_.BeginReservedLoad(); }
  // A KV cache arrived.
  void FinishLoad(RequestHandle handle);
  // A KV cache on its way is lost, and with it the request's place here: it is the caller's again.
  void CancelLoad(RequestHandle handle);
  // The last of the running set, if it decodes; else kNoRequest.
  [[nodiscard]] RequestHandle TailDecode() const { return running_.TailDecode(); }
  // It leaves the running set, blocks and all.
  [[nodiscard]] Departure TakeTailDecode();
  // Empties the worker: every request it has, in order of service, without KV cache.
  [[nodiscard]] std::vector<Departure> Evacuate();

  [[nodiscard]] int32_t waiting_count() const { return queues_.waiting_loaded_and_ready(); }
  // Something other than an iteration of its own will change what fits.
  [[nodiscard]] bool expects_blocks() const { return kv_.outgoing() + queues_.places() > 0; }
  [[nodiscard]] bool idle() const {
    return slots_used() + kv_.outgoing() == 0 && !has_waiting() && !queues_.has_ready();
  }
  [[nodiscard]] int32_t present_count() const { return running_.places(); }
  // Requests that are here or come here with blocks reserved for them.
  [[nodiscard]] int64_t requests() const { return slots_used() + queues_.waiting_and_loaded(); }
  [[nodiscard]] int32_t loading_count() const { return queues_.loading_count(); }
  [[nodiscard]] int32_t outgoing_count() const { return kv_.outgoing(); }
  // First iteration that a running request may still ask the latency log for.
  [[nodiscard]] int64_t OldestDecodeStart() const { return running_.OldestDecodeStart(); }
  // KV caches to load since the last call.
  [[nodiscard]] const std::vector<RequestHandle>& loads_begun() const {
    return queues_.loads_begun();
  }
  void ClearLoadsBegun() { queues_.ClearLoadsBegun(); }
  // Tokens of prompts here that are not computed yet.
  [[nodiscard]] int64_t pending_tokens() const {
    return queues_.pending_tokens() + running_.pending_tokens();
  }
  // Of the prompt's beginning, found in the prefix cache.
  [[nodiscard]] int32_t HitTokens(const LiveRequest& r) const { return kv_.HitTokens(r); }

  BlockPool& pool() { return kv_.pool(); }
  [[nodiscard]] const BlockPool& pool() const { return kv_.pool(); }
  [[nodiscard]] const DecodeSet& decodes() const { return running_.decodes(); }
  [[nodiscard]] LatencyLog& latency() { return latency_; }
  [[nodiscard]] const HostTier& host() const { return kv_.host(); }

 private:
  // Takes the front out of its queue.
  RequestHandle PopFront();
  // Into the running set.
  void Admit(RequestHandle handle, int32_t pending_tokens);
  void Join(RequestHandle handle, bool first_gap_apart);
  Stay LeaveDecodes(RequestHandle handle);
  // Its whole cache is here: it decodes.
  void Resume(RequestHandle handle);
  void AddChunk(RequestHandle handle, int32_t tokens);
  void AddLateDecode(RequestHandle handle);
  void CompletePrefill(RequestHandle handle, SimTime end, Batch* batch);

  RequestSlab& slab_;
  const WorkerStateConfig config_;
  const int32_t max_num_seqs_;
  const bool swaps_;  // preempted decodes, to the host memory
  KvManager kv_;
  Queues queues_;
  RunningSet running_;
  LatencyLog latency_;
  Batch* batch_ = nullptr;
};

}  // namespace tokensim
