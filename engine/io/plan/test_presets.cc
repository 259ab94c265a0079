#include "engine/io/plan/test_presets.h"

#include "engine/base/invariant.h"
#include "engine/io/plan/compile.h"
#include "engine/io/plan/features/hardware.h"
#include "engine/io/plan/features/kernels.h"
#include "engine/io/plan/features/tiled.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

ModelPreset ReadModel(const std::string& name) {
  const v1::Model* model = FindModelPreset(name);
  TOKENSIM_INVARIANT(model != nullptr, "there is no model preset of that name");
  TOKENSIM_INVARIANT(!model->source().empty(), "a preset does not say where it comes from");
  return {name, ToTransformer(*model, v1::DATA_TYPE_BF16), model->max_position_embeddings()};
}

HardwarePreset ReadHardware(const std::string& name) {
  const v1::Hardware* preset = FindHardwarePreset(name);
  TOKENSIM_INVARIANT(preset != nullptr, "there is no hardware preset of that name");
  TOKENSIM_INVARIANT(!preset->source().empty(), "a preset does not say where it comes from");
  v1::Hardware hardware = *preset;
  if (!hardware.has_peak_8bit_flops()) hardware.set_peak_8bit_flops(hardware.peak_flops());
  HardwarePreset read{name, ToDevice(hardware), ToTiledDevice(hardware.tiled()),
                      ToSurfaces(hardware)};
  for (int i = 0; i < hardware.kernels_size(); ++i) {
    read.kernels[static_cast<size_t>(i)].error = hardware.kernels(i).error();
  }
  return read;
}

}  // namespace

std::vector<ModelPreset> ReadModelPresets() {
  std::vector<ModelPreset> presets;
  for (const std::string& name : ModelPresetNames()) presets.push_back(ReadModel(name));
  return presets;
}

std::vector<HardwarePreset> ReadHardwarePresets() {
  std::vector<HardwarePreset> presets;
  for (const std::string& name : HardwarePresetNames()) presets.push_back(ReadHardware(name));
  return presets;
}

TransformerConfig ReadModelPreset(const std::string& name) { return ReadModel(name).config; }
DeviceConfig ReadHardwarePreset(const std::string& name) { return ReadHardware(name).config; }
TiledDeviceConfig ReadTiledPreset(const std::string& name) { return ReadHardware(name).tiled; }
std::vector<EfficiencySurface> ReadKernelSurfaces(const std::string& hardware) {
  return ReadHardware(hardware).kernels;
}

}  // namespace tokensim
