// What a run tells to whoever watches it.
//
// Plain structs, in order of time. A run without an observer emits nothing and costs nothing; a
// replay of the same plan with an observer makes the same decisions. The report does not come from
// here but from the run's Results.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/time.h"
#include "engine/run/results.h"

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
  int32_t loading = 0;
  int32_t held = 0;
  int64_t host_blocks_used = 0;
  int64_t host_blocks_total = 0;
  int64_t cached_blocks = 0;  // of the free ones, still findable
};

enum class DispatchReason : uint8_t { kPrefilled, kMigrated, kWorkerFailed };
enum class WorkerStatus : uint8_t { kServing, kStarting, kDraining, kStopped, kFailed };

// A request's KV cache went to host memory, or came back.
struct SwapEvent {
  int64_t request_id = 0;
  int32_t worker = 0;
  bool out = true;
  int64_t blocks = 0;
  int32_t generated_tokens = 0;
};

// A KV cache has arrived.
struct TransferEvent {
  int64_t request_id = 0;
  int32_t from = 0;  // -1: the memory pool
  int32_t to = 0;
  SimTime start = 0;
  int64_t bytes = 0;
  int32_t tokens = 0;
};

// An operator that a breakpoint logs.
struct OperatorEvent {
  int32_t worker = 0;
  std::string_view name;
  int32_t layer = -1;  // -1: not part of a layer
  SimTime start = 0;
  SimTime duration = 0;
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
  virtual void OnSnapshot(SimTime now, std::span<const WorkerSnapshot> workers,
                          int64_t pool_bytes) = 0;
  // What only some clusters do; the default is not to care.
  virtual void OnSwapped(SimTime /*now*/, const SwapEvent& /*swap*/) {}
  virtual void OnTransferred(SimTime /*now*/, const TransferEvent& /*transfer*/) {}
  // The request goes on from one worker to another. `from` -1: it waited for a worker.
  virtual void OnDispatched(SimTime /*now*/, int64_t /*request_id*/, int32_t /*from*/,
                            int32_t /*to*/, DispatchReason /*reason*/) {}
  virtual void OnWorkerChanged(SimTime /*now*/, int32_t /*worker*/, WorkerStatus /*status*/) {}
  // At the end of the iteration, after OnIteration.
  virtual void OnOperator(SimTime /*now*/, const OperatorEvent& /*operation*/) {}
  // Once, last.
  virtual void OnEnded(SimTime now, EndReason reason, int64_t finished, int64_t rejected,
                       int64_t unfinished) = 0;
};

}  // namespace tokensim
