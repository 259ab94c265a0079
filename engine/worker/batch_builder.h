// What a local scheduler works on: the requests of a worker, and the batch to fill.
//
//   void FormBatch(BatchBuilder& builder) override {
//     builder.AdmitReady();
//     builder.PreemptForDecodes();
//     builder.ScheduleDecodes();
//     while (builder.has_waiting() && builder.slots_used() < limits_.max_num_seqs) {
//       const Admission admission = builder.PlanFront();
//       if (!builder.Fits(admission, admission.target)) break;
//       builder.AdmitFront(admission, admission.target - admission.cached);
//     }
//   }
//
// The batch is the iteration that comes next: all decodes or none, and chunks of prompts. The states
// of a request are drawn in engine/worker/worker_state.h. WorkerState is the builder of a worker;
// what it adds is for the worker alone.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/run/plan.h"
#include "engine/worker/batch.h"
#include "engine/worker/kv_manager.h"
#include "engine/worker/latency_log.h"
#include "engine/worker/live_request.h"
#include "engine/worker/queues.h"
#include "engine/worker/running_set.h"
#include "engine/worker/wait_list.h"

namespace tokensim {

struct WorkerStateConfig {
  int64_t kv_blocks = 0;
  int32_t block_size = 16;
  const BlockLayout* layout = nullptr;   // outlives it; null: none but blocks of block_size
  std::vector<AttentionWindow> windows;  // that the compute model asks for
  bool prefix_caching = false;
  bool reuses_unfindable_first = false;
  int64_t host_blocks = 0;
  bool overlap_swap = false;
  bool blocks_on_pool = false;     // what the memory pool has is fetched before the batch starts
  bool hands_on_prefills = false;  // a request leaves for another worker after its prompt
  bool pauses_decodes = false;     // some iterations run prompts only
  bool tracks_longest = false;     // batches say the longest context of their decodes
  bool tracks_waits = false;       // the scheduler may wait for more requests
  int32_t classes = 1;             // of clients
};

class BatchBuilder {
 public:
  // Its parts refer to each other.
  BatchBuilder(const BatchBuilder&) = delete;
  BatchBuilder& operator=(const BatchBuilder&) = delete;

  [[nodiscard]] int64_t free_blocks() const { return kv_.pool().free(); }
  // Of them, kept for the rest of prompts whose beginning loads or is loaded.
  [[nodiscard]] int64_t promised_blocks() const { return kv_.promised(); }
  // What a request holds with so many tokens in the cache.
  [[nodiscard]] int64_t BlocksFor(int32_t tokens) const { return kv_.BlocksFor(tokens); }
  // What a request that does not decode has to get to compute `tokens` more.
  [[nodiscard]] int64_t BlocksToExtend(const LiveRequest& r, int32_t tokens) const {
    return kv_.BlocksToAdd(r.computed, r.computed + tokens);
  }
  // Requests that take a place of max_num_seqs.
  [[nodiscard]] int32_t slots_used() const {
    return loading_takes_slot_ ? holders() : running_.places();
  }
  // Requests that run, load, or are loaded to decode.
  [[nodiscard]] int32_t holders() const { return running_.places() + queues_.places(); }
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
  // A request that does not decode; of one that does, the fields do not say how far it is.
  [[nodiscard]] const LiveRequest& request(RequestHandle handle) const {
    TOKENSIM_INVARIANT(!slab_[handle].decoding, "a look at a request that decodes");
    return slab_[handle];
  }
  // How far any request of the running set is.
  [[nodiscard]] TokenProgress ProgressOf(RequestHandle handle) const {
    return running_.ProgressOf(slab_[handle]);
  }

  // Takes the loaded requests into the running set; those that loaded without a slot, while there
  // are any. First of all.
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
    return kv_.Fits(front(), admission, tokens, holders() == 0);
  }
  // Moves the front of the queue to the running set with the next `tokens` of its target.
  void AdmitFront(const Admission& admission, int32_t tokens);
  // Starts to load the remote front, or swaps it in to decode in this batch: the tokens of it that
  // this batch computes, 0 or 1. Nothing: there is no room. Call after ScheduleDecodes.
  std::optional<int32_t> AdmitRemoteFront();

  // ---- Waiting for more requests: of schedulers with the trait `waits`

  // When the batch is formed.
  [[nodiscard]] SimTime now() const { return now_; }
  // Requests that wait, or the beginning of whose prompt was loaded.
  [[nodiscard]] int64_t queued_count() const { return queues_.waiting_and_loaded(); }
  // Tokens of their prompts that are neither here nor in a KV cache that is loaded; what the prefix
  // cache or a blocking pool has counts.
  [[nodiscard]] int64_t queued_tokens() const { return queues_.pending_tokens(); }
  // Whether blocks for all that waits may be allocated at once, as for new requests beside others.
  // Blocks that are found in the prefix cache count as if they had to be allocated.
  [[nodiscard]] bool QueueFits() const {
    return kv_.HasRoom(queued_blocks_, /*is_new=*/true, /*alone=*/false);
  }
  // Since when the one that came first of those that wait, load or are loaded is here; kNever:
  // nobody is.
  [[nodiscard]] SimTime waiting_since() const { return waits_.oldest(); }
  // KV caches are on their way here: when they have come, the scheduler is asked again.
  [[nodiscard]] bool expects_loads() const { return queues_.has_loading(); }
  // The front's KV cache can be loaded beside the iterations, before its batch is formed.
  [[nodiscard]] bool front_loads_ahead() const {
    return front_is_remote() && (!front_is_swapped() || config_.overlap_swap);
  }
  // To wait would be in vain: nobody comes here before something runs here.
  [[nodiscard]] bool must_run() const { return must_run_; }
  // The batch stays empty though somebody is here: the scheduler is asked again when something
  // changes here, or at `until` (after now(); kNever: there is no such time). Not when it must run.
  void Wait(SimTime until) {
    TOKENSIM_INVARIANT(!must_run_ && until > now_, "a local scheduler waits in vain");
    wait_until_ = until;
  }

  // Static batching: rows and blocks of finished members, kept until the batch ends.
  [[nodiscard]] int32_t padding_count() const { return kv_.padding_count(); }
  void SchedulePadding() { batch_->padding = padding_count(); }
  void ReleasePadding() { kv_.ReleasePadding(); }

 protected:
  BatchBuilder(RequestSlab& slab, const WorkerStateConfig& config,
               const LocalSchedulerConfig& scheduler);
  ~BatchBuilder() = default;

  [[nodiscard]] RequestSlab& slab() { return slab_; }
  [[nodiscard]] const WorkerStateConfig& config() const { return config_; }
  [[nodiscard]] KvManager& kv() { return kv_; }
  [[nodiscard]] const KvManager& kv() const { return kv_; }
  [[nodiscard]] Queues& queues() { return queues_; }
  [[nodiscard]] const Queues& queues() const { return queues_; }
  [[nodiscard]] RunningSet& running() { return running_; }
  [[nodiscard]] const RunningSet& running() const { return running_; }
  [[nodiscard]] LatencyLog& latency_log() { return latency_; }
  void set_batch(Batch* batch) { batch_ = batch; }
  // A batch is to be formed.
  void Ask(SimTime now, bool must_run) {
    now_ = now;
    must_run_ = must_run;
    wait_until_.reset();
  }
  // Set when the scheduler waits: until when.
  [[nodiscard]] std::optional<SimTime> wait_until() const { return wait_until_; }
  // The request waits from `now` on; it is in one of the queues, or will be at once.
  void BeginWait(RequestHandle handle, SimTime now) {
    if (config_.tracks_waits) waits_.Add(handle, now);
  }
  void EndWait(RequestHandle handle) { waits_.Remove(handle); }
  // Into the queue.
  void Queue(RequestHandle handle, SimTime now, bool in_front);
  // Everybody left the queues.
  void ClearWaits() {
    waits_.Clear();
    queued_blocks_ = 0;
  }
  // A running request decodes from the next iteration on, or no longer.
  void Join(RequestHandle handle, bool first_gap_apart);
  Stay LeaveDecodes(RequestHandle handle);

 private:
  // Blocks that a waiting request is admitted with, if nothing of it is found.
  [[nodiscard]] int64_t QueuedBlocks(const LiveRequest& r) const {
    return r.resumes() ? kv_.BlocksToReach(r.kv_tokens, r.kv_tokens + 1)
                       : kv_.BlocksToReach(0, r.prefill_target());
  }
  // Takes the front out of its queue.
  RequestHandle PopFront();
  // Into the running set.
  void Admit(RequestHandle handle, int32_t pending_tokens);
  // Its whole cache is here: it decodes.
  void Resume(RequestHandle handle);
  void AddChunk(RequestHandle handle, int32_t tokens);
  void AddLateDecode(RequestHandle handle);
  void SetWindows();

  RequestSlab& slab_;
  const WorkerStateConfig config_;
  const bool swaps_;  // preempted decodes, to the host memory
  const bool loading_takes_slot_;
  const int32_t max_num_seqs_;
  KvManager kv_;
  Queues queues_;
  RunningSet running_;
  LatencyLog latency_;
  WaitList waits_;
  int64_t queued_blocks_ = 0;  // of those that wait, as QueuedBlocks says
  SimTime now_ = 0;
  bool must_run_ = false;
  std::optional<SimTime> wait_until_;
  Batch* batch_ = nullptr;
};

}  // namespace tokensim
