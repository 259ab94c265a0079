// The traffic: how long it goes on, what a trace stands for, and the parts of it together. Internal
// to engine/io.
#pragma once

#include <cstdint>

#include "engine/io/plan/findings.h"
#include "engine/io/plan/prepare.h"
#include "engine/workload/workload.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// The whole workload. Reads the trace file, if the spec names one and uses it.
void ResolveWorkload(const TracePolicy& policy, v1::Workload* workload, Findings* findings);
// Tokens of the shortest request that there can be, input and output.
[[nodiscard]] int64_t ShortestRequest(const v1::Workload& workload);

[[nodiscard]] Workload CompileWorkload(const v1::Workload& workload);

}  // namespace tokensim
