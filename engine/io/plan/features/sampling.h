// How the next token is chosen. Internal to engine/io.
#pragma once

#include "engine/compute/sampling.h"
#include "engine/io/plan/findings.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Names and defaults. Nothing without a section `sampling`.
void ResolveSampling(v1::Spec* spec, Findings* findings);

[[nodiscard]] SamplingConfig ToSampling(const v1::Sampling& sampling);

}  // namespace tokensim
