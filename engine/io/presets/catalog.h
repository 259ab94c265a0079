// The presets of configs/, compiled into the binaries.
//
// A preset file is a YAML Model, Hardware, Interconnect, Lengths, Calibration or Engine message; its name
// is the file's. Parsed on first use. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokensim/v1/catalog.pb.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Null when there is none of that name.
[[nodiscard]] const v1::Model* FindModelPreset(std::string_view name);
[[nodiscard]] const v1::Hardware* FindHardwarePreset(std::string_view name);
// The efficiency surfaces of a hardware preset: a message that has `kernels` alone. Null: none.
[[nodiscard]] const v1::Hardware* FindKernelPreset(std::string_view name);
[[nodiscard]] const v1::Interconnect* FindLinkPreset(std::string_view name);
[[nodiscard]] const v1::Lengths* FindLengthsPreset(std::string_view name);
[[nodiscard]] const v1::Calibration* FindCalibrationPreset(std::string_view name);
[[nodiscard]] const v1::Engine* FindEnginePreset(std::string_view name);

// Sorted by name.
[[nodiscard]] std::vector<std::string> ModelPresetNames();
[[nodiscard]] std::vector<std::string> HardwarePresetNames();
[[nodiscard]] std::vector<std::string> KernelPresetNames();
[[nodiscard]] std::vector<std::string> LinkPresetNames();
[[nodiscard]] std::vector<std::string> LengthsPresetNames();
[[nodiscard]] std::vector<std::string> CalibrationPresetNames();
[[nodiscard]] std::vector<std::string> EnginePresetNames();

// Everything a spec can name: presets, scheduler policies, compute backends, trace formats.
[[nodiscard]] v1::Catalog BuildCatalog();

}  // namespace tokensim
