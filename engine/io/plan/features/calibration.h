// What one host adds to the times of the operators, and the front end before all workers. Internal
// to engine/io.
#pragma once

#include "engine/compute/calibration.h"
#include "engine/io/plan/findings.h"
#include "engine/io/plan/prepare.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// The spec's own, at the beginning: preset and file expanded, ranges checked.
void ResolveSharedCalibration(const TracePolicy& policy, v1::Spec* spec, Findings* findings);
// A group's: its own, or the spec's as a whole. `check` is the group's, whose hardware and compute
// model are resolved.
void ResolveGroupCalibration(const TracePolicy& policy, const Checker& check,
                             const v1::Calibration& shared, v1::WorkerGroup* group);
// At the end: of the spec's calibration only the front end is not the groups'.
void ResolveFrontEnd(v1::Spec* spec);

[[nodiscard]] CalibrationConfig ToCalibration(const v1::Calibration& calibration);

}  // namespace tokensim
