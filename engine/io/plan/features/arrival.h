// When requests arrive: the arrival process. Internal to engine/io.
#pragma once

#include "engine/io/plan/findings.h"
#include "engine/workload/workload.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Needs the resolved trace and number of requests, or the duration.
void ResolveArrival(v1::Workload* workload, Findings* findings);

[[nodiscard]] Arrivals ToArrivals(const v1::Arrival& arrival);

}  // namespace tokensim
