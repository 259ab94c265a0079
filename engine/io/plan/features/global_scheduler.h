// Which worker gets a request, when it arrives and when it is handed on. Internal to engine/io.
#pragma once

#include "engine/io/plan/findings.h"
#include "engine/run/plan.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Needs resolved groups: what is of transfers applies only when some worker hands requests on.
void ResolveGlobalScheduler(v1::Spec* spec, Findings* findings);
// Dispatch and transfer policies, and what the router knows.
void CompileGlobalScheduler(const v1::Spec& resolved, Plan* plan);

}  // namespace tokensim
