// The presets of configs/, as cmake/pack_presets.cc found them at build time. Internal to engine/io.
#pragma once

#include <span>
#include <string_view>

namespace tokensim {

struct EmbeddedPreset {
  std::string_view folder;   // models, hardware, kernels, links, calibrations, engines, workloads
  std::string_view name;     // without .yaml
  std::string_view message;  // serialized, of the type that belongs to the folder
};

// Sorted by folder and name.
[[nodiscard]] std::span<const EmbeddedPreset> EmbeddedPresets();

}  // namespace tokensim
