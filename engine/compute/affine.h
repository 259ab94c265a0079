// iteration + prefill_token*P + decode_token*D + context_token*C seconds, for teaching, tests and
// quick studies: P prompt tokens, D decode tokens (padding rows of a static batch included),
// C tokens of KV cache read by the decodes.
//
//   auto model = MakeAffineModel({.iteration_seconds = 0.01, .decode_token_seconds = 1e-4});
//
// Immutable, thread-safe.
#pragma once

#include <memory>

#include "engine/compute/compute_model.h"

namespace tokensim {

struct AffineCosts {
  double iteration_seconds = 0;
  double prefill_token_seconds = 0;
  double decode_token_seconds = 0;
  double context_token_seconds = 0;
};

// At least one of the costs must be positive. A batch never takes less than 1 ns.
[[nodiscard]] std::unique_ptr<const ComputeModel> MakeAffineModel(const AffineCosts& costs);

}  // namespace tokensim
