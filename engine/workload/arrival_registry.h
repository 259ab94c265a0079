// The arrival processes by name.
//
//   plan.workload.arrivals.process =
//       ArrivalProcesses().Make("poisson", {{"rate_per_second", 8}});
#pragma once

#include "engine/workload/arrival_process.h"

namespace tokensim {

[[nodiscard]] const ArrivalRegistry& ArrivalProcesses();

}  // namespace tokensim
