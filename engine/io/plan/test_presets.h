// For tests: the presets of configs/ as the structs that the engine computes with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/compute/kernels/efficiency_surface.h"
#include "engine/hardware/device.h"
#include "engine/hardware/tiled_device.h"
#include "engine/model/transformer.h"

namespace tokensim {

struct ModelPreset {
  std::string file;  // llama2-7b
  TransformerConfig config;
  int32_t max_position_embeddings = 0;
};
struct HardwarePreset {
  std::string file;  // a100-80g
  DeviceConfig config;
  TiledDeviceConfig tiled;  // no cores: the preset does not say
  std::vector<EfficiencySurface> kernels;
};

// The models in the short form that tests go through, sorted by name.
[[nodiscard]] std::vector<ModelPreset> ReadModelPresets();
// Sorted by name.
[[nodiscard]] std::vector<HardwarePreset> ReadHardwarePresets();
// Fails an invariant when there is none of that name.
[[nodiscard]] TransformerConfig ReadModelPreset(const std::string& name);
[[nodiscard]] DeviceConfig ReadHardwarePreset(const std::string& name);
[[nodiscard]] TiledDeviceConfig ReadTiledPreset(const std::string& name);
[[nodiscard]] std::vector<EfficiencySurface> ReadKernelSurfaces(const std::string& hardware);

}  // namespace tokensim
