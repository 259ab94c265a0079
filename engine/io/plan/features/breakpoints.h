// What a group's workers do and what happens at places of their work. Internal to engine/io.
#pragma once

#include <optional>
#include <vector>

#include "engine/io/plan/findings.h"
#include "engine/run/plan.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Role and breakpoints. `prefill: put_kv` and `dispatch: get_kv` become the role they stand for;
// put_kv after an operator makes the network's transfers layer-wise. `check` is the group's.
void ResolveBreakpoints(const Checker& check, v1::Network* network, v1::WorkerGroup* group);

// Breakpoints name operators that the workers have. `groups` has one worker of each group, none of
// groups with errors elsewhere. Findings name breakpoints of the spec as given.
void CheckOperators(const v1::Spec& given, const std::vector<std::optional<WorkerPlan>>& groups,
                    Findings* findings);

// Sets the breakpoints of a worker, and whether it drops the caches of requests that it hands on.
void CompileBreakpoints(const v1::WorkerGroup& group, WorkerPlan* worker);

}  // namespace tokensim
