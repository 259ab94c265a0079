// Random plans that press where an aggregate-based engine could go wrong: KV caches of a few
// blocks, one-token outputs, tiny token budgets, bursts, arrivals that coincide with iteration
// ends, requests that must be rejected.
//
//   const Plan plan = RandomPlan(seed, {LocalPolicy::kChunked, GlobalPolicy::kRoundRobin});
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/compute/compute_model.h"
#include "engine/run/plan.h"

namespace tokensim {

// Costs that differ for every field of the shape and for the order of the chunks, so that an
// iteration of another shape takes another time.
class ProbeModel : public ComputeModel {
 public:
  [[nodiscard]] double IterationSeconds(const IterationShape& shape) const override;
};

struct Policies {
  LocalPolicy local = LocalPolicy::kChunked;
  GlobalPolicy global = GlobalPolicy::kRoundRobin;
};

[[nodiscard]] std::shared_ptr<const Plan> RandomPlan(uint64_t seed, Policies policies);

// For names of parameterised tests.
[[nodiscard]] std::string NameOf(Policies policies);

}  // namespace tokensim
