// Operator-level roofline.
//
// Each operator takes max(flops / (peak * compute_efficiency), bytes / (bandwidth *
// memory_efficiency)) + launch; an iteration is the sum over the operators of all layers,
// embedding, final norm, LM head and sampler, the collectives of tensor and expert parallelism, and
// the host overhead. docs/compute.md derives every operator.
//
//   auto model = MakeRooflineModel(llama, a100, {.tensor = 2}, /*expected_max_tokens=*/2048);
//
// With pipeline stages the rows of an iteration are cut into M equal micro-batches, at most one a
// row, which pass through the stages and the links between them one behind the other (GPipe, Huang
// et al., arXiv 1811.06965). Stage times t, hops h:
//
//   iteration = sum of all t and h + (M - 1) * max of all t and h + host overhead
//
// which is GPipe's (M + stages - 1) t when all stages are equal and the hops short.
//
// Immutable, thread-safe. Expects checked figures (engine/spec): positive peaks, bandwidth and
// efficiencies, and a link with bandwidth for more than one device, else InvariantError.
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
                                                                    const ParallelismConfig& split,
                                                                    int32_t expected_max_tokens);

}  // namespace tokensim
