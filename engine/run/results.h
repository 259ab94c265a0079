// What a run leaves behind: one record per request that ended, and figures per worker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/time.h"
#include "engine/run/request_table.h"

namespace tokensim {

enum class EndReason : uint8_t { kNone, kCompleted, kMaxSimulatedTime, kMaxEvents };
// What a worker has at one time. Requests are in one of the first three states, at one worker; a
// held one is besides in another worker's queue, or on its way there.
struct Occupancy {
  int32_t running = 0;    // in the running set
  int32_t waiting = 0;    // queued
  int32_t loading = 0;    // have blocks that their KV cache is moving to
  int32_t held = 0;       // handed on; their KV cache has not left yet
  int64_t kv_blocks = 0;  // in use
};

// Requests and blocks, times nanoseconds. Exact.
struct OccupancyIntegral {
  using Integral = __int128;
  Integral running = 0;
  Integral waiting = 0;
  Integral loading = 0;
  Integral held = 0;
  Integral kv_blocks = 0;

  void Add(const Occupancy& occupancy, SimTime duration) {
    running += static_cast<Integral>(occupancy.running) * duration;
    kv_blocks += static_cast<Integral>(occupancy.kv_blocks) * duration;
    if (occupancy.waiting > 0) waiting += static_cast<Integral>(occupancy.waiting) * duration;
    if ((occupancy.loading | occupancy.held) == 0) return;
    loading += static_cast<Integral>(occupancy.loading) * duration;
    held += static_cast<Integral>(occupancy.held) * duration;
  }
  bool operator==(const OccupancyIntegral&) const = default;
};

// Averages over consecutive intervals of equal width from time 0, one entry per interval.
struct WorkerTimeline {
  SimTime interval = 0;
  std::vector<double> running;
  std::vector<double> waiting;
  std::vector<double> kv_blocks_used;
  std::vector<double> busy;     // 0..1
  std::vector<double> stored;   // in the tier below: blocks in host memory; empty without one
  std::vector<double> loading;  // empty: none ever
  std::vector<double> held;     // empty: none ever
};

struct WorkerStats {
  int64_t finished = 0;
  int64_t iterations = 0;
  int64_t prefill_tokens = 0;  // computed, recomputation included
  int64_t decode_tokens = 0;
  int64_t preemptions = 0;
  SimTime busy = 0;
  OccupancyIntegral occupancy;
  int32_t max_running = 0;
  int64_t max_kv_blocks_used = 0;
  int64_t prefilled = 0;  // requests that got their first token here
  int64_t swapped_out_blocks = 0;
  int64_t swapped_in_blocks = 0;
  int64_t max_host_blocks_used = 0;
  SimTime unavailable = 0;  // failed, stopped or not yet started
};

struct LinkSummary {
  std::string name;  // as `gpu/0 intra-node out`
  int64_t transfers = 0;
  int64_t bytes = 0;
  SimTime busy = 0;
  double bytes_per_second = 0;  // 0: not limited
};

struct PoolStats {
  int64_t hit_tokens = 0;
  int64_t evicted_tokens = 0;
  int64_t max_bytes = 0;
  // Averages over intervals as wide as those of the worker that ran last.
  std::vector<double> bytes;
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
  // In order of completion (rejected requests: of arrival); empty when another sink takes them.
  RequestTable records;
  std::vector<WorkerStats> workers;
  std::vector<WorkerTimeline> timelines;
  std::vector<LinkSummary> links;  // that carried something
  int64_t migrations = 0;
  int64_t redispatched = 0;  // requests that lost their worker, each time
  __int128 homeless = 0;     // requests that waited for a worker to serve, times nanoseconds
  PoolStats pool;
};

}  // namespace tokensim
