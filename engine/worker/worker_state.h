// The requests of one worker, from the queue to the end.
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
// Prefill and decode are the running set. What forms a batch is BatchBuilder's, for the local
// scheduler; the rest is here, for the worker (engine/worker/worker.cc), which runs the batch.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/run/plan.h"
#include "engine/worker/batch.h"
#include "engine/worker/batch_builder.h"
#include "engine/worker/live_request.h"

namespace tokensim {

class WorkerState final : public BatchBuilder {
 public:
  WorkerState(RequestSlab& slab, const WorkerStateConfig& config,
              const LocalSchedulerConfig& scheduler)
      : BatchBuilder(slab, config, scheduler), max_num_seqs_(scheduler.max_num_seqs) {}

  // What follows goes into `batch`, which must live until the next call. `must_run`: the scheduler
  // may not wait.
  void BeginBatch(Batch* batch, SimTime now, bool must_run = false);
  // The same for a batch of decodes alone that follows another one; what forming that one did stays
  // noted.
  void BeginQuietBatch(Batch* batch) {
    set_batch(batch);
    batch->swapped_blocks = 0;
  }
  // A batch begins to run, or is about to: notes its token gaps.
  void Start(const Batch& batch, SimTime begin, SimTime end) {
    if (batch.decodes > 0) {
      latency_log().AddIteration(running().decodes().next_iteration(), begin, end);
    }
  }
  // Takes note of the outcome of a batch that ends at `end`.
  void Advance(Batch* batch, SimTime end);
  // The same for a batch of decodes alone in which nobody finishes.
  void AdvanceQuiet() { kv().EndDecodeIteration(running().Advance()); }
  // A request of batch.finishing or batch.prefilled gives up its slot.
  void Leave() { running().EndLeaving(); }
  // What a request holds; it holds nothing afterwards. Full blocks become findable.
  [[nodiscard]] Holdings TakeHoldings(RequestHandle handle) { return kv().Take(&slab()[handle]); }
  // It stays until the batch ends (static batching).
  void KeepAsPadding(Holdings holdings) { kv().KeepAsPadding(std::move(holdings)); }
  void Free(const Holdings& holdings) { kv().Free(holdings); }
  // Blocks kept for a request that is elsewhere.
  void KeepOutgoing() { kv().KeepOutgoing(); }
  void FreeOutgoing(const Holdings& holdings) { kv().FreeOutgoing(holdings); }

  void Enqueue(RequestHandle handle, SimTime now);
  // Room for the KV cache of a request that skips the queue, and still runs elsewhere.
  bool ReserveLoad(RequestHandle handle);
  // It runs there no longer.
  void BeginReservedLoad(RequestHandle handle, SimTime now) {
    queues().BeginReservedLoad();
    BeginWait(handle, now);
  }
  // A KV cache arrived.
  void FinishLoad(RequestHandle handle);
  // A KV cache on its way is lost, and with it the request's place here: it is the caller's again.
  void CancelLoad(RequestHandle handle);
  // The last of the running set, if it decodes; else kNoRequest.
  [[nodiscard]] RequestHandle TailDecode() const { return running().TailDecode(); }
  // It leaves the running set, blocks and all.
  [[nodiscard]] Departure TakeTailDecode();
  // Empties the worker: every request it has, in order of service, without KV cache.
  [[nodiscard]] std::vector<Departure> Evacuate();

  // Set when the scheduler waits for more requests: until when at most, or kNever.
  using BatchBuilder::wait_until;
  [[nodiscard]] int32_t waiting_count() const { return queues().waiting_loaded_and_ready(); }
  // Something other than an iteration of its own will change what fits.
  [[nodiscard]] bool expects_blocks() const { return kv().outgoing() + queues().places() > 0; }
  [[nodiscard]] bool idle() const {
    return holders() + kv().outgoing() == 0 && !has_waiting() && !queues().has_ready();
  }
  [[nodiscard]] int32_t present_count() const { return running().places(); }
  // Requests that are here or come here with blocks reserved for them.
  [[nodiscard]] int64_t requests() const { return holders() + queues().waiting_and_loaded(); }
  [[nodiscard]] int32_t loading_count() const { return queues().loading_count(); }
  [[nodiscard]] int32_t outgoing_count() const { return kv().outgoing(); }
  // First iteration that a running request may still ask the latency log for.
  [[nodiscard]] int64_t OldestDecodeStart() const { return running().OldestDecodeStart(); }
  // KV caches to load since the last call.
  [[nodiscard]] const std::vector<RequestHandle>& loads_begun() const {
    return queues().loads_begun();
  }
  void ClearLoadsBegun() { queues().ClearLoadsBegun(); }
  // Tokens of prompts here that are not computed yet.
  [[nodiscard]] int64_t pending_tokens() const {
    return queues().pending_tokens() + running().pending_tokens();
  }
  // Of the prompt's beginning, found in the prefix cache.
  [[nodiscard]] int32_t HitTokens(const LiveRequest& r) const { return kv().HitTokens(r); }

  BlockPool& pool() { return kv().pool(); }
  [[nodiscard]] const BlockPool& pool() const { return kv().pool(); }
  [[nodiscard]] const DecodeSet& decodes() const { return running().decodes(); }
  [[nodiscard]] LatencyLog& latency() { return latency_log(); }
  [[nodiscard]] const HostTier& host() const { return kv().host(); }

 private:
  void CompletePrefill(RequestHandle handle, SimTime end, Batch* batch);

  const int32_t max_num_seqs_;
};

}  // namespace tokensim
