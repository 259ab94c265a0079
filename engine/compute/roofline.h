// Operator-level roofline.
//
// Each operator takes max(flops / (peak * compute_efficiency), bytes / (bandwidth *
// memory_efficiency)) + launch; an iteration is the sum over the operators of all layers, embedding,
// final norm, LM head and sampler, the all-reduces of tensor parallelism, and the host overhead.
// docs/compute.md derives every operator.
#pragma once

#include <memory>

#include "engine/compute/compute_model.h"
#include "engine/hardware/device.h"
#include "engine/model/transformer.h"

namespace tokensim {

// `expected_max_tokens`: iterations of up to this many tokens are priced from a table (others by
// formula, with equal results).
[[nodiscard]] std::unique_ptr<const ComputeModel> MakeRooflineModel(const TransformerConfig& model,
                                                                    const DeviceConfig& device,
                                                                    int32_t tensor_parallel,
                                                                    int32_t expected_max_tokens);

}  // namespace tokensim
