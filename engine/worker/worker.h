// One worker: runs the batches its local scheduler forms.
//
// Between two of its boundaries a worker does nothing but compute. At a boundary every worker goes
// through the same cycle:
//
//   Prepare               completes the iteration that ends, and picks the next batch
//   BatchSeconds,         how long the batch takes to compute and, before that, to fetch
//   FetchFromPool
//   Launch                the iteration begins, as long as that
//
// Ranks in lock-step agree on the durations between Prepare and Launch. Run is the cycle of a
// worker that has nobody to agree with, repeated as long as nothing can disturb it.
//
// A request decodes without being touched: its tokens are
// implied by the iterations it took part in (engine/worker/decode_set.h), and it is visited when
// it joins, finishes or leaves.
//
//   async_depth 1   iteration ends -> outcome -> next batch formed -> starts
//   async_depth 2   iteration k ends -> batch k+1, formed before, starts -> its outcome is reckoned
//                   with -> batch k+2 is formed. So a request whose last token is in batch k+1
//                   keeps slot and blocks while k+2 is formed, and one that arrives during k runs
//                   in k+2 (vLLM V1's step_with_batch_queue; the lengths of outputs are known
//                   limits).
//
// What concerns more than this worker it leaves as messages for the Cluster.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/run/observer.h"
#include "engine/run/plan.h"
#include "engine/run/results.h"
#include "engine/run/timeline.h"
#include "engine/run/worker_signals.h"
#include "engine/worker/local_scheduler.h"
#include "engine/worker/worker_state.h"

namespace tokensim {

struct WorkerMessage {
  enum class Kind : uint8_t {
    kEnded,          // the request finished; its slot in the slab is the cluster's to free
    kPrefilled,      // the request has its first token and leaves this worker
    kPrefillStarts,  // the iteration that completes its prompt begins; layer-wise transfers
    kLoad,           // blocks are there for the KV cache of the request
    kFetched,        // the iteration that began with a fetch from the memory pool has ended
    kSwappedOut,     // its KV cache leaves for host memory beside the iterations
    kMigrates,       // leaves for the worker `target`
    kFailed,         // this worker stops
  };
  Kind kind = Kind::kEnded;
  RequestHandle request = kNoRequest;
  int32_t target = -1;
  int64_t blocks = 0;  // kSwappedOut
  int32_t tokens = 0;  // kPrefillStarts: of the prompt, all that the KV cache will hold
};

// Answers how long the memory pool needs for a KV cache.
class PoolReader {
 public:
  virtual ~PoolReader() = default;
  // When the first `tokens` of a request are at the worker that asks for them now.
  virtual SimTime FetchFromPool(int32_t worker, int32_t tokens, SimTime now) = 0;
};

// Finds a worker that has room for a decoding request.
class MigrationPlanner {
 public:
  virtual ~MigrationPlanner() = default;
  // -1: none.
  virtual int32_t FindTarget(int32_t worker, RequestHandle request) = 0;
};

class Worker {
 public:
  // What a worker shares with the rest of its simulation. All outlive it.
  struct Context {
    RequestSlab& slab;
    EndedRequests& ended;
    WorkerSignals& signals;
    Observer* observer;           // may be null
    MigrationPlanner* migration;  // null: no migration
    PoolReader* pool;             // null: no iteration waits for the memory pool
    bool report_ends;             // kEnded is wanted
    bool layerwise;               // kPrefillStarts is wanted
    int32_t classes;              // of clients, >= 1
    SimTime response_delay;       // until a client sees a token
  };

  Worker(const WorkerPlan& plan, int32_t index, int32_t timeline_points, const Context& context);

  // Queues a request that CheckFits accepted. True if the worker was idle: the caller schedules a
  // boundary at `now`.
  [[nodiscard]] bool Enqueue(RequestHandle handle, SimTime now);
  // Something happened that may let an idle worker run. True as for Enqueue.
  [[nodiscard]] bool Wake();
  // Its scheduler waits for more requests.
  [[nodiscard]] bool waits() const { return waits_; }
  // When the boundary is, if any, that it then has; else kNever. The caller's to move or to cancel:
  // it is forgotten.
  [[nodiscard]] SimTime TakeWakeUp() { return std::exchange(wake_up_, kNever); }
  // At its next boundary its scheduler does not wait; while `draining`, at none.
  void Hurry() { hurried_ = true; }
  void SetDraining(bool draining) { draining_ = draining; }
  // kNone when the request can be served alone.
  // `total`: input and output.
  [[nodiscard]] RejectReason CheckFits(int32_t prompt_tokens, int64_t total_tokens) const;

  // Completes the iteration that ends at `now`, if any, and picks the next batch. False: none.
  [[nodiscard]] bool Prepare(SimTime now);
  // Of the batch that was picked; without one, of the single token that a rank then computes.
  // `gathered_tokens`: of all ranks.
  [[nodiscard]] double BatchSeconds(int64_t gathered_tokens) const;
  [[nodiscard]] int64_t BatchTokens() const;
  // Begins to fetch from the memory pool what the picked batch needs; how long that takes.
  [[nodiscard]] SimTime FetchFromPool(SimTime now);
  // The picked batch begins to run.
  void Launch(SimTime now, double seconds, SimTime fetch);
  // The whole cycle. Then goes on by itself, for at most `limit` iterations, while they end before
  // `horizon` and there is no message: until then nothing from outside can reach this worker.
  // Returns the end of the iteration that runs; without one, until when its scheduler waits; else
  // kNever.
  SimTime Run(SimTime now, SimTime horizon, int64_t limit);
  // Has no batch, and takes in requests at `end`.
  void StandBy(SimTime end) { stand_by_end_ = end; }

  // Messages of the last cycle, in order. The caller clears them.
  std::vector<WorkerMessage>& messages() { return messages_; }

  // A request of kPrefilled or kMigrates is on its way: its blocks, kept until FreeOutgoing.
  [[nodiscard]] Holdings TakeOutgoing(RequestHandle handle) { return state_.TakeHoldings(handle); }
  void FreeOutgoing(const Holdings& holdings, SimTime now);
  // Room for a KV cache that comes at once, past the queue, of a request that runs elsewhere until
  // BeginReservedLoad.
  [[nodiscard]] bool ReserveLoad(RequestHandle handle, SimTime now);
  void BeginReservedLoad(RequestHandle handle, SimTime now);
  void FinishLoad(RequestHandle handle, SimTime now);
  // The KV cache it was to load is lost. The request is the caller's again.
  void CancelLoad(RequestHandle handle, SimTime now);
  // Counts what the worker has up to `now`; before every change of it, and last.
  void Account(SimTime now);

  // Stops when the iteration under way has ended. True if there is none: stopped at once.
  [[nodiscard]] bool Fail();
  // Empties a stopped worker: every request it has, without KV cache.
  [[nodiscard]] std::vector<RequestHandle> Evacuate(SimTime now);

  // The last boundary.
  [[nodiscard]] SimTime now() const { return begin_; }
  // End of the iteration that runs; kUnset: none.
  [[nodiscard]] SimTime iteration_end() const { return end_; }
  // When it had fetched what it needs and began to compute.
  [[nodiscard]] SimTime compute_begin() const { return compute_begin_; }
  [[nodiscard]] IterationShape iteration_shape() const { return current_.shape(); }
  [[nodiscard]] bool idle() const { return end_ == kUnset && state_.idle(); }
  [[nodiscard]] const WorkerPlan& plan() const { return plan_; }
  // It runs in lock-step with other ranks.
  [[nodiscard]] bool in_lockstep() const { return in_lockstep_; }
  // Its next boundary is near: what that will look at is called to the cache.
  void Prefetch() const;
  [[nodiscard]] const WorkerState& state() const { return state_; }
  [[nodiscard]] const WorkerStats& stats() const { return stats_; }
  [[nodiscard]] const Timeline& timeline() const { return timeline_; }
  [[nodiscard]] WorkerSnapshot Snapshot() const;

 private:
  [[nodiscard]] bool iterating() const { return end_ != kUnset; }
  // When it takes in requests next; kUnset: at once.
  [[nodiscard]] SimTime busy_until() const { return iterating() ? end_ : stand_by_end_; }
  // The iteration that runs ends.
  void Complete(SimTime now);
  // Launches the picked batch with its own durations.
  void LaunchAlone(SimTime now) { Launch(now, BatchSeconds(0), FetchFromPool(now)); }
  // One cycle. False when there is nothing to run.
  bool Cycle(SimTime now);
  // Makes the next batch the current one. False when there is nothing to run.
  bool Pick(SimTime now);
  bool GoIdle();
  // Lets the scheduler form a batch. True if others have more room than before: somebody was
  // preempted, or left the queue to load its KV cache.
  bool Form(SimTime now, Batch* batch);
  void MigrateUnderPressure(SimTime now);
  // Starts the batch that was formed.
  void Start(SimTime now, double seconds, SimTime fetch);
  // Figures of the iteration that ends.
  void CountIteration();
  [[nodiscard]] Occupancy occupancy() const;
  // In a quiet iteration only decodes run, nobody waits and nobody finishes: a scheduler with
  // steady decodes lets them go on. QuietCycle does then just what Cycle would.
  [[nodiscard]] bool Quiet() const;
  bool QuietCycle(SimTime now);
  void ScheduleQuiet(SimTime now, Batch* batch);
  void Retire(SimTime now);
  void Finish(RequestHandle handle, SimTime now);
  // It is outstanding here no longer.
  void TakeOffSignals(const LiveRequest& r);
  void Publish();

  void ObserveIteration(SimTime now);
  void ObserveFetches(SimTime now);
  void ObserveFirstTokens(SimTime now);
  // What forming the batch did, in order. With batches formed ahead, preemptions are told when the
  // tokens under way are out.
  void ObserveChanges(SimTime now, const Batch& batch, bool admissions, bool preemptions);
  void ObserveAdmission(SimTime now, RequestHandle handle, const Batch& batch);
  void ObservePreemption(SimTime now, const Preemption& preemption);
  // Reports the tokens of a stay that ends.
  void ObserveStay(SimTime now, RequestHandle handle, const Stay& stay);
  void TrimLogs();

  const WorkerPlan& plan_;
  const int32_t index_;
  // Of the plan, what every boundary asks for.
  const ComputeModel* const compute_;
  const int64_t max_model_len_;
  const int64_t most_cached_tokens_;  // of all its KV blocks
  const bool prefills_only_;
  const bool forms_ahead_;
  const bool in_lockstep_;
  const bool announces_prefills_;  // kPrefillStarts
  Context context_;
  const LocalSchedulerTraits traits_;  // of its scheduler
  std::unique_ptr<LocalScheduler> scheduler_;
  WorkerState state_;
  std::vector<WorkerMessage> messages_;

  bool idle_ = true;
  bool waits_ = false;        // idle, for its scheduler waits for more requests
  SimTime wake_up_ = kNever;  // until then
  bool hurried_ = false;
  bool draining_ = false;
  bool failing_ = false;
  bool warm_ = false;              // it has begun an iteration
  SimTime stand_by_end_ = kUnset;  // of the iteration of the other ranks in lock-step
  SimTime begin_ = 0;              // of the iteration that runs
  SimTime compute_begin_ = 0;      // in that iteration: after its fetch
  SimTime end_ = kUnset;           // of the iteration that runs; kUnset: none
  Batch current_;                  // runs
  Batch next_;                     // formed ahead
  int64_t swaps_left_ = 0;  // blocks, of a batch that stayed empty: they lengthen the one after it

  // Ends of the iterations with decodes from log_first_ on. Kept only for an observer.
  std::vector<SimTime> log_;
  std::vector<SimTime> stay_times_;
  int64_t log_first_ = 0;
  size_t trim_gaps_at_ = 4096;
  size_t trim_log_at_ = 512;

  WorkerStats stats_;
  Timeline timeline_;
  SimTime accounted_ = 0;
};

}  // namespace tokensim
