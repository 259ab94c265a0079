// Kinds of clients: their share, priority, lengths and objectives. Internal to engine/io.
#pragma once

#include <string>
#include <vector>

#include "engine/io/plan/findings.h"
#include "engine/run/plan.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// workload.classes[3].
[[nodiscard]] std::string ClassPath(int index);
// Whether every request has lengths of a class.
[[nodiscard]] bool ClassesHaveAllLengths(const v1::Workload& workload);
// Needs resolved trace and lengths.
void ResolveClasses(v1::Workload* workload, Findings* findings);

// One entry per client class. Objectives that a class leaves out are the spec's.
[[nodiscard]] std::vector<ClassPlan> CompileClasses(const v1::Spec& resolved);

}  // namespace tokensim
