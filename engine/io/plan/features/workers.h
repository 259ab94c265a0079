// Groups of workers: what a group takes from the spec, and its features in the order they need each
// other. Internal to engine/io.
#pragma once

#include <vector>

#include "engine/io/plan/capacity.h"
#include "engine/io/plan/findings.h"
#include "engine/io/plan/prepare.h"
#include "engine/run/plan.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Model, calibration, workers, global_scheduler; local_scheduler and memory become the groups'.
void ResolveWorkers(const TracePolicy& policy, v1::Spec* spec, Findings* findings);

// A worker of a group, all but its compute model.
[[nodiscard]] WorkerPlan CompileWorker(const v1::Spec& spec, const v1::WorkerGroup& group,
                                       const WorkerCapacity& capacity);
// Appends the workers of group `index` of the spec, which are like `worker`.
void AppendWorkers(const v1::Spec& spec, int index, WorkerPlan worker,
                   std::vector<WorkerPlan>* workers);

}  // namespace tokensim
