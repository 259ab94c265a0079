// The queues, KV blocks and next batch of one worker: what a local scheduler works on.
//
//   waiting   requests not in the running set, first to be admitted at the front
//   running   admitted requests in order of admission; each holds KV blocks. Those with their whole
//             prompt in the cache decode; at the tail there may be some still in prefill
//   batch     the iteration being formed: all decodes or none, and chunks of prompts
//
// A scheduler's FormBatch calls the operations below; engine/core/worker.cc runs the batch.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/ring_queue.h"
#include "engine/compute/compute_model.h"
#include "engine/memory/block_pool.h"
#include "engine/schedule/decode_set.h"
#include "engine/schedule/gap_maximum.h"
#include "engine/schedule/live_request.h"

namespace tokensim {

// A request that lost its place in the running set while a batch was formed.
struct Preemption {
  RequestHandle request = kNoRequest;
  int64_t decode_start = -1;  // -1: it had not begun to decode in this stay
  int32_t tokens_before = 0;  // generated when it began to decode
  int32_t generated = 0;      // in all
};

class WorkerState {
 public:
  WorkerState(RequestSlab& slab, int64_t kv_blocks, int32_t block_size)
      : slab_(slab), pool_(kv_blocks, block_size), decodes_(slab, block_size) {}

  // ---- For schedulers

  [[nodiscard]] int64_t free_blocks() const { return pool_.free(); }
  [[nodiscard]] int64_t BlocksFor(int32_t tokens) const { return pool_.BlocksFor(tokens); }
  [[nodiscard]] int32_t running_count() const { return running_count_; }
  [[nodiscard]] int32_t decode_count() const { return decodes_.count(); }
  [[nodiscard]] int64_t decode_blocks_due() const { return decodes_.blocks_due(); }

  [[nodiscard]] bool has_waiting() const { return !waiting_.empty(); }
  // Tokens the request at the front of the queue must prefill.
  [[nodiscard]] int32_t front_target() const { return slab_[waiting_.front()].prefill_target(); }

  // The last running request, when its prompt is not complete; else kNoRequest.
  [[nodiscard]] RequestHandle unfinished_prefill() const {
    return running_tail_ != kNoRequest && !slab_[running_tail_].decoding ? running_tail_
                                                                         : kNoRequest;
  }
  [[nodiscard]] const LiveRequest& request(RequestHandle handle) const { return slab_[handle]; }

  // Preempts from the tail until the decodes have the blocks they need. True if any was preempted.
  bool PreemptForDecodes();
  // Recompute preemption of the last running request: its blocks are freed, it goes to the front of
  // the queue and will prefill its prompt and its tokens so far again.
  void PreemptTail();
  // Every decode gets its block, if due, and one token in this batch.
  void ScheduleDecodes();
  // Moves the front of the queue to the running set with the first `tokens` of its target.
  void AdmitFront(int32_t tokens);
  // The next `tokens` of a running request's prompt.
  void ContinuePrefill(RequestHandle handle, int32_t tokens);

  // Static batching: rows and blocks of finished members, kept until the batch ends.
  [[nodiscard]] int32_t padding_count() const { return padding_count_; }
  void KeepAsPadding(int64_t blocks);
  void SchedulePadding();
  void ReleasePadding();

  // ---- For the worker

  void BeginBatch();
  [[nodiscard]] bool batch_empty() const { return batch_decodes_ == 0 && chunks_.empty(); }
  // Valid until the next BeginBatch.
  [[nodiscard]] IterationShape shape() const;
  [[nodiscard]] const std::vector<PrefillChunk>& chunks() const { return chunks_; }
  [[nodiscard]] const std::vector<RequestHandle>& chunk_requests() const { return chunk_requests_; }
  [[nodiscard]] const std::vector<RequestHandle>& admitted() const { return admitted_; }
  [[nodiscard]] const std::vector<Preemption>& preempted() const { return preempted_; }
  [[nodiscard]] int32_t batch_decodes() const { return batch_decodes_; }

  void Enqueue(RequestHandle handle) { waiting_.push_back(handle); }
  void RemoveRunning(RequestHandle handle);
  [[nodiscard]] int32_t waiting_count() const { return static_cast<int32_t>(waiting_.size()); }
  // First iteration that a running request may still ask gaps() for.
  [[nodiscard]] int64_t oldest_decode_start() const;

  BlockPool& pool() { return pool_; }
  [[nodiscard]] const BlockPool& pool() const { return pool_; }
  DecodeSet& decodes() { return decodes_; }
  [[nodiscard]] const DecodeSet& decodes() const { return decodes_; }
  GapMaximum& gaps() { return gaps_; }
  // End of the last iteration.
  void set_now(SimTime now) { now_ = now; }

 private:
  void AddChunk(RequestHandle handle, int32_t tokens);

  RequestSlab& slab_;
  BlockPool pool_;
  DecodeSet decodes_;
  GapMaximum gaps_;
  RingQueue<RequestHandle> waiting_;
  RequestHandle running_head_ = kNoRequest;
  RequestHandle running_tail_ = kNoRequest;
  int32_t running_count_ = 0;
  int32_t padding_count_ = 0;
  int64_t padding_blocks_ = 0;
  SimTime now_ = 0;

  int32_t batch_decodes_ = 0;
  int32_t batch_padding_ = 0;
  int32_t batch_completed_prefills_ = 0;
  int64_t batch_context_ = 0;
  int64_t batch_prefill_tokens_ = 0;
  std::vector<PrefillChunk> chunks_;
  std::vector<RequestHandle> chunk_requests_;
  std::vector<RequestHandle> admitted_;
  std::vector<Preemption> preempted_;
};

}  // namespace tokensim
