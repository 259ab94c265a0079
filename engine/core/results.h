// What a run leaves behind: one record per request that ended, and figures per worker.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/time.h"

namespace tokensim {

enum class EndReason : uint8_t { kNone, kCompleted, kMaxSimulatedTime, kMaxEvents };
enum class RejectReason : uint8_t { kNone, kMaxModelLen, kKvCapacity };

// One request. Times are kUnset (-1) when they did not happen.
struct RequestRecord {
  int64_t request_id = 0;  // 0, 1, 2... in order of arrival
  SimTime arrival = kUnset;
  SimTime queued = kUnset;     // taken in by the worker
  SimTime scheduled = kUnset;  // first entry into the running set
  SimTime first_token = kUnset;
  SimTime finish = kUnset;   // rejected requests: time of the rejection
  SimTime max_itl = kUnset;  // longest gap between consecutive tokens; unset for one token
  int32_t input_tokens = 0;
  int32_t output_tokens = 0;
  int32_t cached_tokens = 0;
  int32_t worker = -1;
  int32_t preemptions = 0;
  RejectReason reject_reason = RejectReason::kNone;
};

// Averages over consecutive intervals of equal width from time 0, one entry per interval.
struct WorkerTimeline {
  SimTime interval = 0;
  std::vector<double> running;
  std::vector<double> waiting;
  std::vector<double> kv_blocks_used;
  std::vector<double> busy;  // 0..1
};

struct WorkerStats {
  int64_t finished = 0;
  int64_t iterations = 0;
  int64_t prefill_tokens = 0;  // computed, recomputation included
  int64_t decode_tokens = 0;
  int64_t preemptions = 0;
  SimTime busy = 0;
  double running_integral = 0;    // requests x seconds
  double kv_blocks_integral = 0;  // blocks x seconds
  int32_t max_running = 0;
  int64_t max_kv_blocks_used = 0;
};

struct Progress {
  int64_t total = 0;
  int64_t arrived = 0;
  int64_t finished = 0;  // finished or rejected
  SimTime now = 0;
  int64_t events = 0;  // arrivals and iterations
};

struct Results {
  EndReason end_reason = EndReason::kNone;
  SimTime end_time = 0;  // of the last event
  int64_t events = 0;
  int64_t arrived = 0;
  SimTime first_arrival = kUnset;
  // In order of completion (rejected requests: of arrival).
  std::vector<RequestRecord> records;
  std::vector<WorkerStats> workers;
  std::vector<WorkerTimeline> timelines;
};

}  // namespace tokensim
