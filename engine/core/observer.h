// What a run tells to whoever watches it.
//
// Plain structs, in order of time. A run without an observer emits nothing and costs nothing; a
// replay of the same plan with an observer makes the same decisions. The report does not come from
// here but from the run's Results.
#pragma once

#include <cstdint>
#include <span>

#include "engine/base/time.h"
#include "engine/core/results.h"

namespace tokensim {

struct IterationEvent {
  int32_t worker = 0;
  int64_t index = 0;  // 0, 1, 2... per worker
  SimTime duration = 0;
  int64_t prefill_tokens = 0;
  int32_t prefill_chunks = 0;
  int32_t decode_tokens = 0;
  int64_t kv_blocks_used = 0;
  int32_t running = 0;
  int32_t waiting = 0;
};

struct WorkerSnapshot {
  int64_t kv_blocks_used = 0;
  int64_t kv_blocks_total = 0;
  int32_t running = 0;
  int32_t waiting = 0;
};

// The tokens a request got during one stay in the running set of a worker.
struct TokenSpan {
  int64_t request_id = 0;
  int32_t worker = 0;
  int32_t first_token_index = 0;   // in the output: 0, 1...
  std::span<const SimTime> times;  // of each token; not empty; valid during the call
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnArrived(SimTime now, int64_t request_id, int32_t worker, int32_t input_tokens) = 0;
  virtual void OnScheduled(SimTime now, int64_t request_id, int32_t worker) = 0;
  virtual void OnFirstToken(SimTime now, int64_t request_id, int32_t worker) = 0;
  // Just before the OnPreempted or OnFinished that ends the stay.
  virtual void OnTokens(SimTime now, const TokenSpan& tokens) = 0;
  virtual void OnPreempted(SimTime now, int64_t request_id, int32_t worker,
                           int32_t generated_tokens) = 0;
  virtual void OnFinished(SimTime now, const RequestRecord& record) = 0;
  virtual void OnRejected(SimTime now, const RequestRecord& record) = 0;
  // At the end of an iteration, before the token and finish events of that iteration.
  virtual void OnIteration(SimTime now, const IterationEvent& iteration) = 0;
  // Every Plan::snapshot_interval, from time 0, indexed by worker.
  virtual void OnSnapshot(SimTime now, std::span<const WorkerSnapshot> workers) = 0;
  // Once, last.
  virtual void OnEnded(SimTime now, EndReason reason, int64_t finished, int64_t rejected,
                       int64_t unfinished) = 0;
};

}  // namespace tokensim
