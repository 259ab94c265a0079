// Random plans with everything that clusters may have, on top of those of random_plan.h.
//
//   auto plan = std::make_shared<Plan>(*RandomPlan(seed, policies));
//   AddRoles(seed, plan.get());
//
//   const auto plan = RandomCluster(seed);   // with everything
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/run/plan.h"

namespace tokensim {

// Each draws from its own stream.
//
// Queue orders, watermark and memory ratio, swapping, batches formed ahead, stale signals.
void AddKnobs(uint64_t seed, Plan* plan);
// Client classes; prefix groups, conversations or prompts with hash ids; closed loops.
void AddTraffic(uint64_t seed, Plan* plan);
// Prefix caches, and a memory pool whose link has no limit unless iterations wait for it.
void AddCaches(uint64_t seed, Plan* plan);
// Prefill and decode workers, links without a limit between them, dropped KV caches.
void AddRoles(uint64_t seed, Plan* plan);
// Links with a limit, every sharing rule and mode of transfer.
void AddNetwork(uint64_t seed, Plan* plan);
// Workers that fail, recover, start and stop, and warm up when they do; at times all that decode
// fail at once.
void AddFaults(uint64_t seed, Plan* plan);
// Groups of ranks in lock-step, after the other workers or instead of them; no worker event names
// them.
void AddLockstep(uint64_t seed, const std::vector<bool>& reserves, Plan* plan);

// Layers that do not all keep every token, on most workers; none of them has a prefix cache. Last of
// all: the layouts follow the schedulers.
void AddLayouts(uint64_t seed, Plan* plan);

// Layouts without states, most with a prefix cache; caches that reuse what cannot be found first;
// loads that take no slot.
void AddCachedLayouts(uint64_t seed, Plan* plan);

// All of the above but layouts, more or less often, with local and global policies of every kind.
[[nodiscard]] std::shared_ptr<Plan> RandomCluster(uint64_t seed);
// The same cluster with static batches that wait until they are full, on most workers.
[[nodiscard]] std::shared_ptr<Plan> RandomWaitingCluster(uint64_t seed);
// One of these clusters with layouts.
[[nodiscard]] std::shared_ptr<Plan> RandomLayoutCluster(uint64_t seed);
// ... with layouts that prefix caches know.
[[nodiscard]] std::shared_ptr<Plan> RandomCachedLayoutCluster(uint64_t seed);

}  // namespace tokensim
