// The local schedulers, for the registry in local_scheduler.cc.
#pragma once

#include <memory>

#include "engine/policy/local/local_scheduler.h"

namespace tokensim {

[[nodiscard]] std::unique_ptr<LocalScheduler> MakeChunkedScheduler(const LocalSchedulerConfig& c);
[[nodiscard]] std::unique_ptr<LocalScheduler> MakeOrcaScheduler(const LocalSchedulerConfig& c);
[[nodiscard]] std::unique_ptr<LocalScheduler> MakeStaticScheduler(const LocalSchedulerConfig& c);
[[nodiscard]] std::unique_ptr<LocalScheduler> MakeVllmV0Scheduler(const LocalSchedulerConfig& c);

}  // namespace tokensim
