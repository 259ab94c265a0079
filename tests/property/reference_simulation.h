// A naive simulator: the oracle of the engine's property tests.
//
// It walks every request of every batch in every iteration and sums blocks anew each time they are
// needed: no aggregates, no calendars, no logs. Slow and obvious on purpose; shares nothing with
// engine/worker, engine/policy and engine/cluster but their headers. Requests that change workers travel over the
// engine's Network (reference_moves.h).
//
//   const ReferenceResults expected = RunReference(plan);
#pragma once

#include <cstdint>
#include <vector>

#include "engine/run/plan.h"
#include "engine/run/results.h"

namespace tokensim {

// One iteration, as it was formed (the state between its start and its end).
struct ReferenceIteration {
  int32_t worker = 0;
  int64_t index = 0;
  SimTime end = 0;
  SimTime duration = 0;
  int64_t prefill_tokens = 0;
  int32_t prefill_chunks = 0;
  int32_t decode_tokens = 0;
  int64_t kv_blocks_used = 0;
  int32_t running = 0;
  int32_t waiting = 0;
};

struct ReferenceResults {
  EndReason end_reason = EndReason::kNone;
  SimTime end_time = 0;
  int64_t arrived = 0;
  std::vector<RequestRecord> records;  // by request id
  std::vector<int64_t> ended;          // request ids, in the order in which they ended
  std::vector<WorkerStats> workers;
  PoolStats pool;
  int64_t events = 0;
  int64_t migrations = 0;
  int64_t redispatched = 0;
  __int128 homeless = 0;  // requests that waited for a worker, times nanoseconds
  std::vector<ReferenceIteration> iterations;     // ended ones, by end and worker
  std::vector<std::vector<SimTime>> token_times;  // by request id
};

[[nodiscard]] ReferenceResults RunReference(const Plan& plan);

}  // namespace tokensim
