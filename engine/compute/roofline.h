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

// Arithmetic rate of a GEMM by the rate of its weights' format. 4-bit weights are expanded to 16
// bits before they are multiplied. 32-bit GEMMs run as TF32, at half the 16-bit rate of NVIDIA's
// tensor cores.
[[nodiscard]] double PeakFlops(MathRate rate, const DeviceConfig& device);

[[nodiscard]] std::unique_ptr<const OperatorPricer> MakeRooflinePricer(
    const Model& model, const DeviceConfig& device, const ParallelismConfig& split);

// The roofline with the host overheads of the device.
[[nodiscard]] std::unique_ptr<const ComputeModel> MakeRooflineModel(const Model& model,
                                                                    const DeviceConfig& device,
                                                                    const ParallelismConfig& split,
                                                                    int32_t expected_max_tokens);

}  // namespace tokensim
