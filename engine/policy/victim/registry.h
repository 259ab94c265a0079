// The victims of preemptions by name.
//
//   plan.workers[0].scheduler.victim = Victims().Make("lowest_priority");
#pragma once

#include "engine/worker/victim.h"

namespace tokensim {

[[nodiscard]] const VictimRegistry& Victims();

}  // namespace tokensim
