// The global schedulers by name.
//
//   plan.global_scheduler = GlobalSchedulers().Make("weighted", {{"weights.load", 2}});
#pragma once

#include "engine/policy/global/global_scheduler.h"

namespace tokensim {

[[nodiscard]] const GlobalSchedulerRegistry& GlobalSchedulers();

}  // namespace tokensim
