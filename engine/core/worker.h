// One worker: runs the batches its local scheduler forms.
//
// Between two of its boundaries a worker does nothing but compute; at a boundary it completes the
// iteration that ends and forms the next. A request decodes without being touched: its tokens are
// implied by the iterations it took part in (engine/schedule/decode_set.h), and it is visited when
// it joins, finishes or is preempted.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/core/observer.h"
#include "engine/core/plan.h"
#include "engine/core/results.h"
#include "engine/core/timeline.h"
#include "engine/schedule/worker_state.h"

namespace tokensim {

class Worker {
 public:
  // What a worker shares with the rest of its simulation. All outlive it.
  struct Context {
    RequestSlab& slab;
    std::vector<RequestRecord>& records;
    std::vector<int32_t>& outstanding;  // per worker
    Observer* observer;                 // may be null
  };

  Worker(const WorkerPlan& plan, int32_t index, int32_t timeline_points, const Context& context);

  // Queues a request that CheckFits accepted. True if the worker was idle: the caller schedules a
  // boundary at `now`.
  [[nodiscard]] bool Enqueue(RequestHandle handle, SimTime now);
  // kNone when the request can be served alone.
  [[nodiscard]] RejectReason CheckFits(int32_t input_tokens, int32_t output_tokens) const;

  // Completes the iteration that ends at `now`, if any, and begins the next. Then goes on by
  // itself, for at most `limit` iterations, while they end before `horizon`: until then nothing
  // from outside can reach this worker. Returns the end of the iteration that runs, or kNever when
  // there is nothing to do.
  SimTime Run(SimTime now, SimTime horizon, int64_t limit);
  // The last boundary.
  [[nodiscard]] SimTime now() const { return begin_; }
  [[nodiscard]] bool iterating() const { return end_ != kUnset; }

  [[nodiscard]] const WorkerStats& stats() const { return stats_; }
  [[nodiscard]] const Timeline& timeline() const { return timeline_; }
  [[nodiscard]] WorkerSnapshot Snapshot() const;

 private:
  void Complete(SimTime now);
  void CompletePrefills(SimTime now);
  // Lets the scheduler form a batch. False when there is nothing to run.
  bool Form(SimTime now);
  // Starts the batch that was formed.
  void Start(SimTime now);
  // Figures of the iteration that ends at `now`.
  void Account(SimTime now);
  // In a quiet iteration only decodes run, nobody waits and nobody finishes: every scheduler lets
  // the decodes go on. CompleteQuiet and FormQuiet do then just what Complete and Form would.
  [[nodiscard]] bool Quiet() const;
  void CompleteQuiet(SimTime now);
  bool FormQuiet(SimTime now);
  // The request got its last token at `now`; `computed` tokens are in its cache.
  void Finish(RequestHandle handle, SimTime now);
  void ObserveIteration(SimTime now);
  void ObserveBatch(SimTime now);
  // Reports the tokens of a stay: one at the end of the iteration before `decode_start` and one for
  // each iteration since. `tokens_before` counts the first of them.
  void ObserveTokens(SimTime now, int64_t request_id, int64_t decode_start, int32_t tokens_before);
  void TrimLogs();

  const WorkerPlan& plan_;
  const int32_t index_;
  Context context_;
  std::unique_ptr<LocalScheduler> scheduler_;
  WorkerState state_;

  bool idle_ = true;
  SimTime begin_ = 0;     // of the iteration that runs
  SimTime end_ = kUnset;  // of the iteration that runs; kUnset: none
  int32_t batch_running_ = 0;
  int32_t batch_waiting_ = 0;
  int64_t batch_blocks_ = 0;

  // Ends of the iterations from log_first_ on. Kept only for an observer.
  std::vector<SimTime> log_;
  int64_t log_first_ = 0;

  WorkerStats stats_;
  Timeline timeline_;
};

}  // namespace tokensim
