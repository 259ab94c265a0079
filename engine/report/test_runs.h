// Plans and runs worked out by hand, for the tests of the report.
//
//   const Report report = BuildReport(OneWorkerPlan(4), SmallRun());
//   EXPECT_EQ(report.finished, 3);
#pragma once

#include <vector>

#include "engine/run/plan.h"
#include "engine/run/results.h"
#include "engine/workload/test_traffic.h"

namespace tokensim {

inline constexpr SimTime kMs = 1'000'000;
inline constexpr SimTime kSecond = kNanosPerSecond;

inline Plan OneWorkerPlan(int64_t num_requests) {
  Plan plan;
  plan.name = "hand";
  plan.seed = 42;
  plan.workers.push_back({.name = "gpu/0",
                          .hardware = "A100",
                          .compute = nullptr,
                          .scheduler = {},
                          .kv_blocks = 100,
                          .block_size = 16,
                          .max_model_len = 4096});
  plan.workload.num_requests = num_requests;
  plan.workload.arrivals = BurstArrivals{.size = 1, .interval_seconds = 1};
  plan.workload.lengths = IndependentLengths{FixedLength{1}, FixedLength{1}};
  return plan;
}

inline RequestRecord Finished(int64_t id, SimTime arrival, SimTime scheduled, SimTime first,
                              SimTime finish, int32_t input, int32_t output, SimTime max_itl) {
  RequestRecord r;
  r.request_id = id;
  r.arrival = arrival;
  r.queued = arrival;
  r.scheduled = scheduled;
  r.first_token = first;
  r.finish = finish;
  r.max_itl = max_itl;
  r.input_tokens = input;
  r.output_tokens = output;
  r.worker = 0;
  return r;
}

inline RequestRecord Rejected(int64_t id, SimTime arrival, RejectReason reason) {
  RequestRecord r;
  r.request_id = id;
  r.arrival = arrival;
  r.finish = arrival;
  r.worker = 0;
  r.input_tokens = 9000;
  r.output_tokens = 10;
  r.reject_reason = reason;
  return r;
}

inline Results OneWorkerResults() {
  Results results;
  results.first_arrival = 0;
  results.end_reason = EndReason::kCompleted;
  results.workers.resize(1);
  results.timelines.resize(1);
  return results;
}

// Sets one field of one record.
template <typename Field, typename Value>
void SetField(size_t row, Field RequestRecord::*field, Value value, Results* results) {
  std::vector<RequestRecord> rows = results->records.Rows();
  rows[row].*field = value;
  results->records = rows;
}

// Three requests and a rejected one, computed by hand.
inline Results SmallRun() {
  Results results = OneWorkerResults();
  results.first_arrival = 500 * kMs;
  results.end_time = 11 * kSecond;
  results.events = 17;
  results.arrived = 4;
  results.records = {
      // TTFT 0.5, E2E 2.5, queueing 0.1, TPOT 2/4, normalized 2.5/5
      Finished(1, 1 * kSecond, 1100 * kMs, 1500 * kMs, 3500 * kMs, 100, 5, 700 * kMs),
      // TTFT 1, E2E 1, queueing 0.2, no TPOT, normalized 1/1
      Finished(2, 3 * kSecond, 3200 * kMs, 4 * kSecond, 4 * kSecond, 200, 1, kUnset),
      Rejected(0, 500 * kMs, RejectReason::kMaxModelLen),
      // TTFT 2, E2E 6.5, queueing 0.6, TPOT 4.5/9, normalized 6.5/10
      Finished(3, 4 * kSecond, 4600 * kMs, 6 * kSecond, 10500 * kMs, 300, 10, 900 * kMs),
  };
  SetField(3, &RequestRecord::preemptions, 2, &results);
  WorkerStats& worker = results.workers[0];
  worker.finished = 3;
  worker.busy = 5500 * kMs;
  worker.occupancy = {.running = 22 * kSecond, .kv_blocks = 330 * kSecond};
  results.timelines[0] = {.interval = kSecond,
                          .running = {1, 2},
                          .waiting = {0, 3},
                          .kv_blocks_used = {10, 20},
                          .busy = {0.5, 1}};
  return results;
}

inline Plan DisaggregatedPlan() {
  Plan plan = OneWorkerPlan(4);
  plan.workers[0].role = Role::kPrefill;
  plan.workers[0].kv_bytes_per_token = 1000;
  plan.workers.push_back(plan.workers[0]);
  plan.workers[1].name = "gpu/1";
  plan.workers[1].role = Role::kDecode;
  plan.workers[1].node = 3;
  plan.workers[1].host_blocks = 50;
  return plan;
}

inline Results DisaggregatedRun() {
  Results results = SmallRun();
  results.workers.resize(2);
  results.timelines.resize(2);
  results.workers[0].prefilled = 3;
  results.workers[0].finished = 1;
  results.workers[1].finished = 2;
  SetField(0, &RequestRecord::kv_transfer, 100 * kMs, &results);
  SetField(3, &RequestRecord::kv_transfer, 300 * kMs, &results);
  results.links = {
      {.name = "gpu/0 out",
       .transfers = 2,
       .bytes = 990,
       .busy = 10 * kSecond,
       .bytes_per_second = 100},
      {.name = "unlimited", .transfers = 1, .bytes = 5, .busy = 0, .bytes_per_second = 0}};
  results.migrations = 4;
  return results;
}

}  // namespace tokensim
