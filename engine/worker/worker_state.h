// The queues, KV blocks and next batch of one worker: what a local scheduler works on.
//
//   waiting   requests not in the running set, next to be admitted at the front. Their KV cache may
//             be elsewhere (LiveRequest::kv_source): then it is loaded first
//   loading   hold blocks into which their KV cache is moving
//   loaded    the beginning of their prompt came from the memory pool: before the queue. Blocks for
//             the rest are kept free, else those that hold some might wait for each other
//   ready     loaded, to decode with the next batch
//   running   admitted requests in order of admission; each holds KV blocks. Those with their whole
//             prompt in the cache decode; some may still be in prefill
//   leaving   out of the running set, their last iteration under way; they keep slot and blocks
//   outgoing  gone to another worker, which has not got all their KV cache yet; they keep blocks
//   batch     the iteration being formed: all decodes or none, and chunks of prompts
//
// A scheduler's FormBatch calls the operations below; engine/worker/worker.cc runs the batch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/memory/block_pool.h"
#include "engine/memory/host_tier.h"
#include "engine/run/plan.h"
#include "engine/worker/batch.h"
#include "engine/worker/decode_set.h"
#include "engine/worker/gap_maximum.h"
#include "engine/worker/live_request.h"
#include "engine/worker/queue_order.h"
#include "engine/worker/victim.h"
#include "engine/worker/waiting_queue.h"

namespace tokensim {

// The KV blocks of one request.
struct Holdings {
  int64_t blocks = 0;           // without findable content
  std::vector<BlockId> shared;  // findable, in order of the prompt
};

// What the request at the front of the queue needs to be admitted.
struct Admission {
  int32_t target = 0;       // tokens to have in the cache before its next token
  int32_t cached = 0;       // of them, there already
  int64_t held_blocks = 0;  // it has already
  int64_t free_hits = 0;    // cached blocks that count as free now
};

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

  // ---- For schedulers

  [[nodiscard]] int64_t free_blocks() const { return pool_.free(); }
  // Of them, kept for the rest of prompts whose beginning loads or is loaded.
  [[nodiscard]] int64_t promised_blocks() const { return promised_; }
  [[nodiscard]] int64_t BlocksFor(int32_t tokens) const { return pool_.BlocksFor(tokens); }
  // Requests that take a place of max_num_seqs.
  [[nodiscard]] int32_t slots_used() const { return running_count_ + leaving_ + loading_; }
  [[nodiscard]] int32_t running_count() const { return running_count_; }
  [[nodiscard]] int32_t decode_count() const { return decodes_.count(); }
  [[nodiscard]] int64_t decode_blocks_due() const { return decodes_.blocks_due(); }

  [[nodiscard]] bool has_waiting() const { return !waiting_.empty() || !loaded_.empty(); }
  [[nodiscard]] const LiveRequest& front() const {
    return slab_[loaded_.empty() ? waiting_.front() : loaded_.front()];
  }
  // The KV cache of the front is elsewhere, and is loaded before it is scheduled.
  [[nodiscard]] bool front_is_remote() const {
    const KvSource source = front().kv_source;
    return source != KvSource::kNone && !(config_.blocks_on_pool && source == KvSource::kPool);
  }
  // ... in the host memory of this worker.
  [[nodiscard]] bool front_is_swapped() const { return front().kv_source == KvSource::kHost; }

  // The first running request whose prompt is not complete; else kNoRequest.
  [[nodiscard]] RequestHandle unfinished_prefill() const { return unfinished_; }
  [[nodiscard]] const LiveRequest& request(RequestHandle handle) const { return slab_[handle]; }

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
  [[nodiscard]] Admission PlanFront();
  // Whether `tokens` of the front's cache may be allocated: blocks, watermark and, for a request
  // that did not run here yet, max_memory_ratio. A worker where nothing runs or loads admits what
  // fits.
  [[nodiscard]] bool Fits(const Admission& admission, int32_t tokens) const;
  // Moves the front of the queue to the running set with the next `tokens` of its target.
  void AdmitFront(const Admission& admission, int32_t tokens);
  // Starts to load the remote front, or swaps it in to decode in this batch: the tokens of it that
  // this batch computes, 0 or 1. Nothing: there is no room. Call after ScheduleDecodes.
  std::optional<int32_t> AdmitRemoteFront();

  // Static batching: rows and blocks of finished members, kept until the batch ends.
  [[nodiscard]] int32_t padding_count() const { return static_cast<int32_t>(padding_.size()); }
  void KeepAsPadding(Holdings holdings);
  void SchedulePadding() { batch_->padding = padding_count(); }
  void ReleasePadding();

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
  void Start(const Batch& batch, SimTime begin, SimTime end);
  // Reckons with the outcome of a batch that ends at `end`.
  void Advance(Batch* batch, SimTime end);
  // A request of batch.finishing or batch.prefilled gives up its slot.
  void Leave() { --leaving_; }
  // What a request holds; it holds nothing afterwards. Full blocks become findable.
  [[nodiscard]] Holdings TakeHoldings(RequestHandle handle);
  void Free(const Holdings& holdings);
  // Blocks kept for a request that is elsewhere.
  void KeepOutgoing() { ++outgoing_; }
  void FreeOutgoing(const Holdings& holdings);

  void Enqueue(RequestHandle handle);
  // Room for the KV cache of a request that skips the queue, and still runs elsewhere.
  bool ReserveLoad(RequestHandle handle);
  // It runs there no longer.
  void BeginReservedLoad() { --reserved_; }
  // A KV cache arrived.
  void FinishLoad(RequestHandle handle);
  // ... is lost. The request is the caller's again.
  void CancelLoad(RequestHandle handle);
  // The last of the running set, if it decodes; else kNoRequest.
  [[nodiscard]] RequestHandle TailDecode() const;
  // It leaves the running set, blocks and all.
  [[nodiscard]] Departure TakeTailDecode();
  // Empties the worker: every request it has, in order of service, without KV cache.
  [[nodiscard]] std::vector<Departure> Evacuate();

  [[nodiscard]] int32_t waiting_count() const {
    return static_cast<int32_t>(waiting_.size() + loaded_.size() + ready_.size());
  }
  // Something other than an iteration of its own will change what fits.
  [[nodiscard]] bool expects_blocks() const { return outgoing_ + loading_ > 0; }
  [[nodiscard]] bool idle() const {
    return slots_used() + outgoing_ == 0 && !has_waiting() && ready_.empty();
  }
  [[nodiscard]] int32_t present_count() const { return running_count_ + leaving_; }
  // Requests that are here or come here with blocks reserved for them.
  [[nodiscard]] int64_t requests() const {
    return slots_used() + static_cast<int64_t>(waiting_.size() + loaded_.size());
  }
  [[nodiscard]] int32_t loading_count() const {
    return static_cast<int32_t>(loading_requests_.size()) - reserved_;
  }
  [[nodiscard]] int32_t outgoing_count() const { return outgoing_; }
  // First iteration that a running request may still ask gaps() for.
  [[nodiscard]] int64_t OldestDecodeStart() const;
  // KV caches to load since the last call.
  [[nodiscard]] const std::vector<RequestHandle>& loads_begun() const { return loads_begun_; }
  void ClearLoadsBegun() { loads_begun_.clear(); }
  // Tokens of prompts here that are not computed yet.
  [[nodiscard]] int64_t pending_tokens() const { return pending_tokens_; }
  // Of the prompt's beginning, found in the prefix cache.
  [[nodiscard]] int32_t HitTokens(const LiveRequest& request) const;

  BlockPool& pool() { return pool_; }
  [[nodiscard]] const BlockPool& pool() const { return pool_; }
  DecodeSet& decodes() { return decodes_; }
  [[nodiscard]] const DecodeSet& decodes() const { return decodes_; }
  GapMaximum& gaps() { return gaps_; }
  [[nodiscard]] const HostTier& host() const { return host_; }

 private:
  void PushBack(RequestHandle handle);
  void PushFront(RequestHandle handle);
  RequestHandle PopFront();
  void AppendRunning(RequestHandle handle);
  void RemoveRunning(RequestHandle handle);
  [[nodiscard]] RequestHandle Victim() const;
  [[nodiscard]] RunningRequest ViewOf(const LiveRequest& r) const;
  void ChargeClasses();
  void ChargeDecodes(int32_t client_class);
  void Join(RequestHandle handle, bool first_gap_apart);
  Stay LeaveDecodes(RequestHandle handle);
  void Resume(RequestHandle handle);
  void AddChunk(RequestHandle handle, int32_t tokens);
  void AddLateDecode(RequestHandle handle);
  void CompletePrefill(RequestHandle handle, SimTime end, Batch* batch);
  void RegisterBlocks(LiveRequest& r, int32_t tokens);
  [[nodiscard]] bool HasRoom(int64_t blocks, bool is_new) const;
  void StartLoad(RequestHandle handle);
  void SwapIn(RequestHandle handle);
  [[nodiscard]] uint64_t HashOf(const LiveRequest& r, int32_t block) const;
  [[nodiscard]] int64_t KeyOf(const LiveRequest& r) const;

  RequestSlab& slab_;
  const WorkerStateConfig config_;
  const LocalSchedulerConfig scheduler_;
  const std::unique_ptr<QueueOrder> order_;
  const std::unique_ptr<VictimPolicy> victim_policy_;
  const int64_t watermark_blocks_;
  const int64_t new_blocks_limit_;  // blocks in use after the admission of a new request
  BlockPool pool_;
  HostTier host_;
  DecodeSet decodes_;
  GapMaximum gaps_;
  WaitingQueue waiting_;
  RingQueue<RequestHandle> loaded_;
  RingQueue<RequestHandle> ready_;
  RequestHandle running_head_ = kNoRequest;
  RequestHandle running_tail_ = kNoRequest;
  RequestHandle unfinished_ = kNoRequest;
  int32_t running_count_ = 0;
  int32_t leaving_ = 0;
  int32_t loading_ = 0;
  int32_t outgoing_ = 0;
  int32_t reserved_ = 0;  // of the loading, that still run elsewhere
  int64_t promised_ = 0;  // blocks for the rest of the prompts that load or are loaded
  std::vector<RequestHandle> loading_requests_;
  std::vector<RequestHandle>
      fresh_;  // decodes with a first gap apart, before their first iteration
  std::vector<Holdings> padding_;
  std::vector<RequestHandle> loads_begun_;
  std::vector<BlockId> hits_;  // of the last PlanFront
  int64_t pending_tokens_ = 0;
  // Of each class, with queue_order fair: decodes, and the iteration up to which they are charged.
  struct ClassDecodes {
    int32_t count = 0;
    int64_t charged = 0;
  };
  std::vector<ClassDecodes> class_decodes_;
  SimTime last_decode_end_ = 0;  // of the last batch with decodes that was started
  Batch* batch_ = nullptr;
};

}  // namespace tokensim
