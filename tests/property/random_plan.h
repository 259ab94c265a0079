// Random plans that press where an aggregate-based engine could go wrong: KV caches of a few
// blocks, one-token outputs, tiny token budgets, bursts, arrivals that coincide with iteration
// ends, requests that must be rejected.
//
//   const Plan plan = RandomPlan(seed, {"chunked", "round_robin"});
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/compute/compute_model.h"
#include "engine/policy/global/registry.h"
#include "engine/policy/local/registry.h"
#include "engine/policy/order/registry.h"
#include "engine/run/plan.h"

namespace tokensim {

// Costs that differ for every field of the shape and for the order of the chunks, so that an
// iteration of another shape takes another time.
class ProbeModel : public ComputeModel {
 public:
  explicit ProbeModel(std::vector<AttentionWindow> windows = {}) : windows_(std::move(windows)) {}
  [[nodiscard]] std::vector<AttentionWindow> Windows() const override { return windows_; }
  [[nodiscard]] double IterationSeconds(const IterationShape& shape) const override;

 private:
  std::vector<AttentionWindow> windows_;
};

struct Policies {
  const char* local = "chunked";
  const char* global = "round_robin";
};

// `reserves`, if not null: for each worker, whether chunked would reserve whole prompts there.
[[nodiscard]] std::shared_ptr<const Plan> RandomPlan(uint64_t seed, Policies policies,
                                                     std::vector<bool>* reserves = nullptr);

// A local scheduler; `reserve` is for the one that has reserve_full_prompt.
[[nodiscard]] std::shared_ptr<const LocalSchedulerFactory> Local(std::string_view name,
                                                                 bool reserve = true);

// For names of parameterised tests.
[[nodiscard]] std::string NameOf(Policies policies);

}  // namespace tokensim
