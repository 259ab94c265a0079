// From a resolved specification to a plan. Internal to engine/io.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/io/plan/capacity.h"
#include "engine/io/plan/findings.h"
#include "engine/run/plan.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Of each group, one of its workers; none of a group with errors.
using GroupPlans = std::vector<std::optional<WorkerPlan>>;
[[nodiscard]] GroupPlans CompileGroups(const v1::Spec& resolved,
                                       const std::vector<WorkerCapacity>& capacities,
                                       const Findings& findings);
// Of a spec without errors.
[[nodiscard]] std::shared_ptr<const Plan> CompilePlan(const v1::Spec& resolved, GroupPlans groups);

}  // namespace tokensim
