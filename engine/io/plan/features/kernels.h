// Efficiency surfaces of hardware, for the compute model `kernels`. Internal to engine/io.
#pragma once

#include <vector>

#include "engine/compute/kernels/efficiency_surface.h"
#include "engine/io/plan/findings.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Whether kernels of the hardware were measured: surfaces of its own or of the preset it names.
[[nodiscard]] bool HasSurfaces(const v1::Hardware& hardware);

// Hardware.kernels, which apply to that compute model only. `check` is the hardware's.
void ResolveKernels(const Checker& check, bool used, v1::Hardware* hardware);

[[nodiscard]] std::vector<EfficiencySurface> ToSurfaces(const v1::Hardware& hardware);

}  // namespace tokensim
