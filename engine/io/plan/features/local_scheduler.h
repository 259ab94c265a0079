// How a worker forms its batches: policies, limits, admission, preemption. Internal to engine/io.
#pragma once

#include <cstdint>
#include <string>

#include "engine/io/plan/findings.h"
#include "engine/run/plan.h"
#include "engine/worker/local_scheduler.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

void ResolveLocalScheduler(const std::string& path, const v1::Model& model,
                           v1::LocalScheduler* scheduler, Findings* findings);
// Of its policy; the defaults when there is none of that name.
[[nodiscard]] LocalSchedulerTraits TraitsOf(const v1::LocalScheduler& scheduler);

[[nodiscard]] LocalSchedulerConfig CompileLocalScheduler(const v1::LocalScheduler& scheduler);

}  // namespace tokensim
