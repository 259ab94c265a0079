// Operator-level roofline.
//
// Each operator takes max(flops / (peak * compute_efficiency), bytes / (bandwidth *
// memory_efficiency)) + launch (Williams, Waterman, Patterson, CACM 2009). docs/compute.md derives
// every operator.
//
//   auto model = MakeRooflineModel(llama, a100, {.tensor = 2}, /*expected_max_tokens=*/2048);
//
// Immutable, thread-safe. Expects checked figures (engine/io/plan): positive peaks, bandwidth and
// efficiencies, and a link with bandwidth for more than one device, else InvariantError.
#pragma once

#include <memory>

#include "engine/compute/iteration_model.h"
#include "engine/hardware/device.h"

namespace tokensim {

[[nodiscard]] std::unique_ptr<const OperatorPricer> MakeRooflinePricer(
    const Model& model, const DeviceConfig& device, const ParallelismConfig& split);

// The roofline with the host overheads of the device.
[[nodiscard]] std::unique_ptr<const ComputeModel> MakeRooflineModel(const Model& model,
                                                                    const DeviceConfig& device,
                                                                    const ParallelismConfig& split,
                                                                    int32_t expected_max_tokens);

}  // namespace tokensim
