// The policies of a plan that names none.
//
// Plans that code writes by hand, such as tests, leave out what does not matter to them:
//
//   Plan plan;                       // no policy anywhere
//   Simulation simulation(plan);     // chunked, fcfs, round_robin ...
//
// A plan of a specification names every policy, by the same defaults.
#pragma once

#include <memory>
#include <string_view>

#include "engine/run/plan.h"
#include "engine/worker/queue_order.h"

namespace tokensim {

inline constexpr char kDefaultLocalScheduler[] = "chunked";
inline constexpr char kDefaultQueueOrder[] = "fcfs";
inline constexpr char kDefaultVictim[] = "last_admitted";
inline constexpr char kDefaultEviction[] = "lru";
inline constexpr char kDefaultGlobalScheduler[] = "round_robin";
inline constexpr char kDefaultTransferScheduler[] = "least_kv";

// The plan itself if it names every policy, else a copy that does.
[[nodiscard]] std::shared_ptr<const Plan> WithDefaultPolicies(std::shared_ptr<const Plan> plan);

// The victim that goes with an order.
[[nodiscard]] inline std::string_view DefaultVictim(const QueueOrderTraits& order) {
  return order.default_victim.empty() ? kDefaultVictim : order.default_victim;
}

// The same for the policies of one worker.
void AddDefaultPolicies(LocalSchedulerConfig* scheduler);

}  // namespace tokensim
