// The global schedulers, for the registry in global_scheduler.cc.
#pragma once

#include <memory>

#include "engine/policy/global/global_scheduler.h"

namespace tokensim {

using GlobalSchedulerPtr = std::unique_ptr<GlobalScheduler>;

[[nodiscard]] GlobalSchedulerPtr MakeRoundRobin(const GlobalSchedulerConfig& config);
[[nodiscard]] GlobalSchedulerPtr MakeRandom(const GlobalSchedulerConfig& config);
[[nodiscard]] GlobalSchedulerPtr MakeLeastRequests(const GlobalSchedulerConfig& config);
[[nodiscard]] GlobalSchedulerPtr MakeLeastKv(const GlobalSchedulerConfig& config);
[[nodiscard]] GlobalSchedulerPtr MakeLeastWork(const GlobalSchedulerConfig& config);
[[nodiscard]] GlobalSchedulerPtr MakePowerOfTwo(const GlobalSchedulerConfig& config);
[[nodiscard]] GlobalSchedulerPtr MakePrefixAffinity(const GlobalSchedulerConfig& config);
[[nodiscard]] GlobalSchedulerPtr MakeSessionAffinity(const GlobalSchedulerConfig& config);
[[nodiscard]] GlobalSchedulerPtr MakeWeighted(const GlobalSchedulerConfig& config);
[[nodiscard]] GlobalSchedulerPtr MakeVllmDp(const GlobalSchedulerConfig& config);

}  // namespace tokensim
