// The device of a worker group: peaks, memory, efficiencies, links, price. Internal to engine/io.
#pragma once

#include <string>

#include "engine/hardware/device.h"
#include "engine/io/plan/findings.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// What a worker's device is needed for.
struct HardwareNeeds {
  bool compute = false;       // peak, bandwidth
  bool tiled = false;         // arrays and buffers
  bool kernels = false;       // efficiency surfaces
  bool memory = false;        // memory_bytes
  bool interconnect = false;  // more than one device per worker
};
void ResolveHardware(const std::string& path, HardwareNeeds needs, v1::Hardware* hardware,
                     Findings* findings);

[[nodiscard]] DeviceConfig ToDevice(const v1::Hardware& hardware);

}  // namespace tokensim
