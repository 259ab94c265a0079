// Failures and scaling: each event by itself, then all of a group in order of time. Internal to
// engine/io.
#pragma once

#include <vector>

#include "engine/io/plan/findings.h"
#include "engine/run/plan.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Needs resolved groups.
void ResolveFaults(v1::Spec* spec, Findings* findings);

[[nodiscard]] std::vector<WorkerEvent> CompileFaults(const v1::Spec& resolved);

}  // namespace tokensim
