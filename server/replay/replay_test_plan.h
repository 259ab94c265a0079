// A small plan for tests: two workers with affine costs under memory pressure.
#pragma once

#include <memory>

#include "engine/compute/affine.h"
#include "engine/core/plan.h"

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

}  // namespace tokensim
