// About how many requests come in a duration, without a run.
//
//   workload.duration = FromSeconds(600);
//   workload.num_requests = ExpectedRequests(workload, seed, 0.01);
//
// Arrivals by their mean rate, turns of conversations by a sample of them. How long a user of a
// closed loop waits for an answer depends on the server: `token_seconds` is what it takes for one
// token when nobody else is there, so that a busy server answers fewer requests than this.
#pragma once

#include <cstdint>

#include "engine/workload/workload.h"

namespace tokensim {

// At least 1; of a workload with a duration. Saturates at the largest integer.
[[nodiscard]] int64_t ExpectedRequests(const Workload& workload, uint64_t seed,
                                       double token_seconds);

}  // namespace tokensim
