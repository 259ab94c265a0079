// The local schedulers by name.
//
//   plan.workers[0].scheduler.policy = LocalSchedulers().Make("orca");
#pragma once

#include "engine/worker/local_scheduler.h"

namespace tokensim {

[[nodiscard]] const LocalSchedulerRegistry& LocalSchedulers();

}  // namespace tokensim
