// The serving engine of a worker group: what its version decides where the specification says
// nothing (configs/engines). Internal to engine/io.
//
// An engine fills in fields before the features that they belong to check and complete them, so a
// decision of an engine is checked as if the user had written it.
#pragma once

#include "engine/io/plan/findings.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Expands the preset and checks what is given beside it. `check` is that of the message `engine` is
// a field of.
void ResolveEngine(const Checker& check, v1::Engine* engine);

// Of a resolved engine: the defaults of `memory`, which must have what the specification says.
void ApplyEngineMemory(const v1::Engine& engine, v1::Memory* memory);
// The defaults of local_scheduler. Needs the resolved model and hardware, and what the
// specification says of the scheduler.
void ApplyEngineScheduler(const v1::Engine& engine, const v1::Model& model, v1::WorkerGroup* group);
// The default of calibration.capture_sizes. Needs the resolved local_scheduler and calibration.
void ApplyEngineGraphs(const v1::Engine& engine, v1::WorkerGroup* group);
// What a resolved specification keeps of an engine.
void KeepEngineName(v1::Engine* engine);

}  // namespace tokensim
