// How one worker's model is split over devices, and replicas that share experts. Internal to
// engine/io.
#pragma once

#include "engine/io/plan/findings.h"
#include "engine/model/parallelism.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// `model` is null when it has errors. `check` is the parallelism's.
void ResolveParallelism(const Checker& check, const v1::Model* model, v1::Parallelism* parallelism);

// Of a resolved one, also when it has errors.
[[nodiscard]] ParallelismConfig ToParallelism(const v1::Parallelism& parallelism);

}  // namespace tokensim
