// The systolic arrays and buffers of hardware, for the compute model `tiled`. Internal to engine/io.
#pragma once

#include "engine/hardware/tiled_device.h"
#include "engine/io/plan/findings.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Hardware.tiled, which applies to that compute model only. `check` is the hardware's, whose other
// figures are resolved.
void ResolveTiled(const Checker& check, bool used, v1::Hardware* hardware);

[[nodiscard]] TiledDeviceConfig ToTiledDevice(const v1::TiledDevice& tiled);

}  // namespace tokensim
