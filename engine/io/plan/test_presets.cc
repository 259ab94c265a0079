#include "engine/io/plan/test_presets.h"

#include "engine/base/invariant.h"
#include "engine/io/plan/features/hardware.h"
#include "engine/io/plan/features/kernels.h"
#include "engine/io/plan/features/model_plan.h"
#include "engine/io/plan/features/tiled.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

// Of the short form.
TransformerConfig ToTransformer(const v1::Model& model) {
  return {.name = model.name(),
          .num_layers = model.num_layers(),
          .hidden_size = model.hidden_size(),
          .num_attention_heads = model.num_attention_heads(),
          .num_kv_heads = model.num_kv_heads(),
          .head_dim = model.head_dim(),
          .intermediate_size = model.intermediate_size(),
          .gated_mlp = model.gated_mlp(),
          .vocab_size = model.vocab_size(),
          .tie_word_embeddings = model.tie_word_embeddings(),
          .num_experts = model.moe().num_experts(),
          .experts_per_token = model.moe().experts_per_token(),
          .weight_bytes_per_parameter = BytesPerElement(model.weight_dtype()),
          .weight_format = FormatOf(model.weight_dtype())};
}

ModelPreset ReadModel(const std::string& name) {
  const v1::Model* model = FindModelPreset(name);
  TOKENSIM_INVARIANT(model != nullptr, "there is no model preset of that name");
  TOKENSIM_INVARIANT(model->layers().empty(), "a preset is not of the short form");
  TOKENSIM_INVARIANT(!model->source().empty(), "a preset does not say where it comes from");
  return {name, ToTransformer(*model), model->max_position_embeddings()};
}

HardwarePreset ReadHardware(const std::string& name) {
  const v1::Hardware* preset = FindHardwarePreset(name);
  TOKENSIM_INVARIANT(preset != nullptr, "there is no hardware preset of that name");
  TOKENSIM_INVARIANT(!preset->source().empty(), "a preset does not say where it comes from");
  v1::Hardware hardware = *preset;
  if (!hardware.has_peak_8bit_flops()) hardware.set_peak_8bit_flops(hardware.peak_flops());
  if (const v1::Hardware* surfaces = FindKernelPreset(name)) hardware.MergeFrom(*surfaces);
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
  for (const char* name :
       {"codellama-34b", "llama2-13b", "llama2-70b", "llama2-7b", "llama3.1-70b", "llama3.1-8b",
        "mixtral-8x7b", "opt-13b", "qwen3-30b-a3b", "qwen3-32b"}) {
    presets.push_back(ReadModel(name));
  }
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
