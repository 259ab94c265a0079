// What a run is beside deployment and traffic: its name and seed, when it stops, what is recorded and
// what the report is of. Internal to engine/io.
#pragma once

#include "engine/io/plan/findings.h"
#include "engine/run/plan.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// name, description, seed, stop, output, report. Needs the resolved workload.
void ResolveRunOptions(v1::Spec* spec, Findings* findings);

void CompileRunOptions(const v1::Spec& resolved, Plan* plan);

}  // namespace tokensim
