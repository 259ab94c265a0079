// Prices operators by the efficiency that kernels reach on a device: the roofline with the peaks of
// the device, divided by the share of an EfficiencySurface.
//
//   auto pricer = MakeKernelPricer(llama, h100, surfaces, {.tensor = 2});
//
// What has no surface, and what only moves memory, is priced by the roofline and its three
// coefficients; Source() says which. A time out of a surface includes the kernel's launch.
//
// Surfaces of attention are of equal sequences. Decodes of unequal contexts are taken at their
// mean. A batch of chunks is taken as that many lone prompts, of equal length, with the same
// arithmetic: a chunk of n tokens behind h is like a prompt of sqrt(n (2 h + n)) tokens. Its
// roofline is that of the chunks themselves.
//
// Experts: a `moe` surface is of the whole block, so that what it contains besides the GEMMs takes
// no time of its own. Without one, the grouped GEMM is taken for one of the rows of one expert with
// the weights of all active ones, which has as many tiles.
//
// Attention of a model whose layers are not all alike, or that is not of heads and full, is priced
// by the roofline.
//
// Immutable, thread-safe.
#pragma once

#include <memory>
#include <span>

#include "engine/compute/kernels/efficiency_surface.h"
#include "engine/compute/operator_pricer.h"
#include "engine/hardware/device.h"
#include "engine/model/model.h"

namespace tokensim {

// Of surfaces at most one per kernel and format of weights counts, the first. See EfficiencyGrid.
[[nodiscard]] std::unique_ptr<const OperatorPricer> MakeKernelPricer(
    const Model& model, const DeviceConfig& device, std::span<const EfficiencySurface> surfaces,
    const ParallelismConfig& split);

}  // namespace tokensim
