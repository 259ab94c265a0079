// A small plan for tests: two workers with affine costs under memory pressure.
#pragma once

#include <memory>

#include "engine/compute/affine.h"
#include "engine/run/plan.h"
#include "engine/workload/test_traffic.h"

namespace tokensim {

inline std::shared_ptr<const Plan> MakeTestPlan(int64_t requests, uint64_t seed = 1,
                                                int64_t kv_blocks = 100) {
  auto plan = std::make_shared<Plan>();
  plan->name = "test";
  plan->seed = seed;
  for (const char* name : {"gpu/0", "gpu/1"}) {
    WorkerPlan worker;
    worker.name = name;
    worker.hardware = "none";
    worker.compute = MakeAffineModel({.iteration_seconds = 0.01, .prefill_token_seconds = 1e-5});
    worker.kv_blocks = kv_blocks;
    worker.max_model_len = 1000;
    plan->workers.push_back(worker);
  }
  plan->workload.num_requests = requests;
  plan->workload.arrivals = PoissonArrivals{20};
  plan->workload.lengths = IndependentLengths{UniformLength{1, 600}, UniformLength{1, 500}};
  return plan;
}

// The same traffic for a prefill worker and two decode workers, short of memory, with host memory;
// the last fails and comes back. Shows every kind of event.
inline std::shared_ptr<const Plan> MakeClusterTestPlan(int64_t requests, uint64_t seed = 1) {
  auto plan = std::make_shared<Plan>(*MakeTestPlan(requests, seed));
  plan->workers.push_back(plan->workers[0]);
  for (WorkerPlan& worker : plan->workers) {
    worker.role = Role::kDecode;
    worker.scheduler.preemption = PreemptionMode::kSwap;
    worker.kv_bytes_per_token = 1000;
    worker.host_blocks = 60;
    worker.host_link = {.bandwidth_bytes_per_second = 1e9};
  }
  plan->workers[0].role = Role::kPrefill;
  plan->workers[0].breakpoints = {{.after = "iteration", .layers = {}}};
  plan->network.intra_node = {.bandwidth_bytes_per_second = 1e8, .latency_seconds = 1e-3};
  plan->worker_events = {
      {.time = 2 * kNanosPerSecond, .action = WorkerAction::kFail, .first_worker = 2, .worker = 2},
      {.time = 3 * kNanosPerSecond,
       .action = WorkerAction::kRecover,
       .first_worker = 2,
       .worker = 2,
       .delay = kNanosPerSecond}};
  return plan;
}

}  // namespace tokensim
