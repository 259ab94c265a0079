// Service-level objectives, of the spec or of a client class. Internal to engine/io.
#pragma once

#include "engine/io/plan/findings.h"
#include "engine/run/plan.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// `check` is the objectives'. One that is absent is not there.
void ResolveSlo(const Checker& check, v1::Slo* slo);

[[nodiscard]] SloPlan CompileSlo(const v1::Slo& slo);

}  // namespace tokensim
