// One worker of the reference simulator: see reference_simulation.h.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "engine/core/plan.h"
#include "engine/core/results.h"
#include "tests/property/reference_simulation.h"

namespace tokensim {

struct ReferenceRequest {
  RequestRecord record;
  std::vector<SimTime> tokens;  // time of each generated token
  int64_t computed = 0;         // tokens in the KV cache
  int64_t target = 0;           // tokens to be computed before the next token comes
  int64_t blocks = 0;
  int64_t step = 0;  // tokens computed in the current iteration
  bool finished = false;

  [[nodiscard]] int64_t generated() const { return static_cast<int64_t>(tokens.size()); }
  [[nodiscard]] bool decodes() const { return computed >= target; }
  [[nodiscard]] int64_t remaining() const { return decodes() ? 1 : target - computed; }
};

class ReferenceWorker {
 public:
  ReferenceWorker(const WorkerPlan& plan, int32_t index) : plan_(plan), index_(index) {}

  void Enqueue(ReferenceRequest* request) { waiting_.push_back(request); }
  [[nodiscard]] bool busy() const { return busy_; }
  [[nodiscard]] SimTime boundary() const { return boundary_; }
  [[nodiscard]] const WorkerStats& stats() const { return stats_; }
  // A worker without a running iteration looks at its queue at `now`.
  void Wake(SimTime now) {
    busy_ = true;
    boundary_ = now;
  }
  // Ends the current iteration, if any, and forms the next. Returns the requests that finished.
  std::vector<ReferenceRequest*> Boundary(SimTime now, std::vector<ReferenceIteration>* log);

 private:
  std::vector<ReferenceRequest*> Complete(SimTime now);
  void FormChunked(SimTime now);
  void FormOrca(SimTime now);
  void FormStatic(SimTime now);
  void AdmitStatic(SimTime now);
  // Schedules the running set from its head, at most `budget` tokens; preempts from its tail.
  // Returns whether it preempted.
  bool ScheduleRunning(int64_t* budget);
  void Admit(SimTime now, ReferenceRequest* request, int64_t step);
  void Preempt(ReferenceRequest* request);
  void Start(SimTime now);

  [[nodiscard]] int64_t BlocksOf(int64_t tokens) const {
    return (tokens + plan_.block_size - 1) / plan_.block_size;
  }
  [[nodiscard]] int64_t UsedBlocks() const;
  [[nodiscard]] int64_t FreeBlocks() const { return plan_.kv_blocks - UsedBlocks(); }

  const WorkerPlan& plan_;
  const int32_t index_;
  std::deque<ReferenceRequest*> waiting_;
  std::vector<ReferenceRequest*> running_;
  WorkerStats stats_;
  ReferenceIteration iteration_;
  bool iterating_ = false;
  bool busy_ = false;
  SimTime boundary_ = kNever;
};

}  // namespace tokensim
