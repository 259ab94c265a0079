// Operator-level roofline.
//
// Each operator takes max(flops / (peak * compute_efficiency), bytes / (bandwidth *
// memory_efficiency)) + launch; an iteration is the sum over the operators of all layers,
// embedding, final norm, LM head and sampler, the all-reduces of tensor parallelism, and the host
// overhead. docs/compute.md derives every operator.
//
//   auto model = MakeRooflineModel(llama, a100, /*tensor_parallel=*/1,
//   /*expected_max_tokens=*/2048);
//
// Immutable, thread-safe. Expects checked figures (engine/spec): positive peaks, bandwidth and
// efficiencies, and a link with bandwidth when tensor_parallel > 1, else InvariantError.
#pragma once

#include <memory>

#include "engine/compute/compute_model.h"
#include "engine/hardware/device.h"
#include "engine/model/transformer.h"

namespace tokensim {

// `expected_max_tokens`: iterations of up to this many tokens (16,384 at most) are priced from a
// table, others by the formula that filled it, with equal results.
[[nodiscard]] std::unique_ptr<const ComputeModel> MakeRooflineModel(const TransformerConfig& model,
                                                                    const DeviceConfig& device,
                                                                    int32_t tensor_parallel,
                                                                    int32_t expected_max_tokens);

}  // namespace tokensim
