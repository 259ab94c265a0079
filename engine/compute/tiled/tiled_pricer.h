// Operators mapped on a tiled device: systolic arrays, vector units, buffers.
//
//   auto pricer = MakeTiledPricer(llama, a100, a100_tiles, {.tensor = 2});
//
// For accelerators that do not exist yet, or are not measured: it needs no fitted figure but what
// share of peak and bandwidth a device sustains. GEMMs take the fastest of their mappings
// (gemm_mapper.h), attention is fused (attention_tiles.h), norms, activations and sampler run on
// the vector units as fast as memory feeds them, collectives are those of the interconnect. Every
// kernel pays the launch of the device. docs/tiled.md explains, and says how far off it is.
//
// Immutable, thread-safe. Expects checked figures (engine/io/plan), positive all, and
// a model with plain attention and one format (engine/model/model.h).
#pragma once

#include <memory>

#include "engine/compute/compute_model.h"
#include "engine/compute/operator_pricer.h"
#include "engine/hardware/device.h"
#include "engine/hardware/tiled_device.h"
#include "engine/model/model.h"

namespace tokensim {

[[nodiscard]] std::unique_ptr<const OperatorPricer> MakeTiledPricer(const Model& model,
                                                                    const DeviceConfig& device,
                                                                    const TiledDeviceConfig& tiles,
                                                                    const ParallelismConfig& split);

// With the host overheads of the device.
[[nodiscard]] std::unique_ptr<const ComputeModel> MakeTiledModel(const Model& model,
                                                                 const DeviceConfig& device,
                                                                 const TiledDeviceConfig& tiles,
                                                                 const ParallelismConfig& split,
                                                                 int32_t expected_max_tokens);

}  // namespace tokensim
