// Plans small enough to work out by hand, for tests. An iteration costs 10 ms + 1 ms per prompt
// token + 2 ms per decode; a token's KV cache has 1,000 bytes; a KV cache takes 3 ms to another
// worker.
//
//   auto plan = MakePlan({{0, 5, 3}}, {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode)});
//   EXPECT_EQ(RunPlan(plan).records[0].finish, 42 * kMs);
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/cluster/simulation.h"
#include "engine/compute/affine.h"
#include "engine/workload/test_traffic.h"

namespace tokensim {

inline constexpr SimTime kMs = 1'000'000;

struct TestRequest {
  SimTime arrival;
  int32_t input;
  int32_t output;
};

inline WorkerPlan MakeWorker(Role role, int64_t kv_blocks = 1000, int32_t block_size = 4) {
  return {.name = "gpu",
          .compute = MakeAffineModel({.iteration_seconds = 0.010,
                                      .prefill_token_seconds = 0.001,
                                      .decode_token_seconds = 0.002}),
          .kv_blocks = kv_blocks,
          .block_size = block_size,
          .max_model_len = 100'000,
          .role = role,
          .kv_bytes_per_token = 1000};
}

inline std::shared_ptr<Plan> MakePlan(const std::vector<TestRequest>& requests,
                                      std::vector<WorkerPlan> workers) {
  auto trace = std::make_shared<TraceTable>();
  for (const TestRequest& r : requests) {
    trace->arrival.push_back(r.arrival);
    trace->input_tokens.push_back(r.input);
    trace->output_tokens.push_back(r.output);
  }
  auto plan = std::make_shared<Plan>();
  plan->workload = {.num_requests = trace->size(),
                    .arrivals = TraceArrivals{},
                    .lengths = TraceLengths{},
                    .trace = trace};
  plan->workers = std::move(workers);
  plan->network.intra_node = {.latency_seconds = 0.003};
  return plan;
}

// Requests, or blocks, times milliseconds.
inline int64_t Ms(OccupancyIntegral::Integral integral) {
  return static_cast<int64_t>(integral / kMs);
}

// Of one worker.
inline std::shared_ptr<Plan> MakeLonePlan(const std::vector<TestRequest>& requests,
                                          const LocalSchedulerConfig& scheduler = {},
                                          int64_t kv_blocks = 1000, int32_t block_size = 16) {
  WorkerPlan worker = MakeWorker(Role::kBoth, kv_blocks, block_size);
  worker.scheduler = scheduler;
  return MakePlan(requests, {std::move(worker)});
}

// The records come by request id.
inline Results RunPlan(const std::shared_ptr<const Plan>& plan, Observer* observer = nullptr) {
  Simulation simulation(plan, observer);
  while (!simulation.done()) {
    const absl::Status status = simulation.Advance(1000);
    EXPECT_TRUE(status.ok()) << status;
  }
  Results results = simulation.TakeResults();
  std::vector<RequestRecord> rows = results.records.Rows();
  std::sort(rows.begin(), rows.end(), [](const RequestRecord& a, const RequestRecord& b) {
    return a.request_id < b.request_id;
  });
  results.records = rows;
  return results;
}

}  // namespace tokensim
