// Whether a spec describes the server that was measured.
#pragma once

#include "engine/analysis/truth.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim::cli {

// Tells stderr which settings of the measured server a resolved spec has otherwise, as far as the
// truth knows them.
void WarnOfOtherSettings(const accuracy::Truth& truth, const v1::Spec& resolved);

}  // namespace tokensim::cli
