#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "engine/io/plan/resolve.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

constexpr double kAccumulatorBytes = 4;
constexpr double kActivationBytes = 2;

std::vector<std::string> PresetsWithTiles() {
  std::vector<std::string> names;
  for (const std::string& name : HardwarePresetNames()) {
    if (FindHardwarePreset(name)->has_tiled()) names.push_back(name);
  }
  return names;
}

// Every figure, in its range.
void CheckFigures(const Checker& check, const v1::TiledDevice& t) {
  constexpr int64_t kMaxBytes = 1'000'000'000'000'000;
  constexpr char kHint[] = "an accelerator of tiles has it (docs/tiled.md)";
  const auto count = [&](const char* field, bool present, int64_t value, int64_t max) {
    if (check.Required(field, present, kHint)) check.Range(field, value, 1, max);
  };
  const auto rate = [&](const char* field, bool present, double value, double max) {
    if (check.Required(field, present, kHint)) check.Positive(field, value, max);
  };
  count("cores", t.has_cores(), t.cores(), 1'000'000);
  count("lanes", t.has_lanes(), t.lanes(), 1'024);
  count("systolic_rows", t.has_systolic_rows(), t.systolic_rows(), 512);
  count("systolic_columns", t.has_systolic_columns(), t.systolic_columns(), 512);
  count("vector_width", t.has_vector_width(), t.vector_width(), 1'000'000);
  rate("frequency_hertz", t.has_frequency_hertz(), t.frequency_hertz(), 1e12);
  count("local_buffer_bytes", t.has_local_buffer_bytes(), t.local_buffer_bytes(), kMaxBytes);
  count("register_file_bytes", t.has_register_file_bytes(), t.register_file_bytes(), kMaxBytes);
  count("global_buffer_bytes", t.has_global_buffer_bytes(), t.global_buffer_bytes(), kMaxBytes);
  rate("global_buffer_bytes_per_second", t.has_global_buffer_bytes_per_second(),
       t.global_buffer_bytes_per_second(), 1e21);
}

// The buffers hold what one array works on, and the arrays make the peak. 0: it is not known.
void CheckTogether(const Checker& check, const v1::TiledDevice& t, double peak_flops) {
  const double rows = t.systolic_rows();
  const double columns = t.systolic_columns();
  const double accumulators = rows * columns * kAccumulatorBytes;
  if (static_cast<double>(t.register_file_bytes()) < accumulators) {
    check.Error("register_file_bytes",
                absl::StrCat("is ", t.register_file_bytes(),
                             "; the accumulators of an array (systolic_rows x systolic_columns x "
                             "4 bytes) are ",
                             Grouped(static_cast<int64_t>(accumulators))));
  }
  const double operands = 2 * (t.near_memory() ? rows : rows + columns) * kActivationBytes;
  if (static_cast<double>(t.local_buffer_bytes()) < operands) {
    check.Error("local_buffer_bytes", absl::StrCat("is ", t.local_buffer_bytes(),
                                                   "; two of what enters an array at once need ",
                                                   Grouped(static_cast<int64_t>(operands))));
  }
  constexpr double kTolerance = 0.1;
  const double arrays = ToTiledDevice(t).array_flops();
  if (peak_flops > 0 && std::abs(arrays - peak_flops) > kTolerance * peak_flops) {
    check.Error("", absl::StrFormat(
                        "its arrays make %.4g TFLOPS (2 x cores x lanes x systolic_rows x "
                        "systolic_columns x frequency_hertz), peak_flops is %.4g TFLOPS; they may "
                        "differ by 10 %%",
                        arrays * 1e-12, peak_flops * 1e-12));
  }
}

}  // namespace

void CheckTiled(const Checker& check, bool needed, const v1::Hardware& hardware) {
  if (!hardware.has_tiled()) {
    if (needed) {
      check.Missing("tiled", absl::StrCat("is missing: `compute: {tiled: {}}` needs the hardware's "
                                          "arrays and buffers; presets that have them: ",
                                          absl::StrJoin(PresetsWithTiles(), ", ")));
    }
    return;
  }
  const Checker tiled(check.findings(), check.Path("tiled"));
  const int64_t errors = check.findings()->errors();
  CheckFigures(tiled, hardware.tiled());
  // A what-if of the roofline may change the peak alone.
  if (needed && check.findings()->errors() == errors) {
    CheckTogether(tiled, hardware.tiled(), check.Broken("peak_flops") ? 0 : hardware.peak_flops());
  }
}

TiledDeviceConfig ToTiledDevice(const v1::TiledDevice& tiled) {
  TiledDeviceConfig device;
  device.cores = tiled.cores();
  device.lanes = tiled.lanes();
  device.systolic_rows = tiled.systolic_rows();
  device.systolic_columns = tiled.systolic_columns();
  device.vector_width = tiled.vector_width();
  device.frequency_hertz = tiled.frequency_hertz();
  device.local_buffer_bytes = tiled.local_buffer_bytes();
  device.register_file_bytes = tiled.register_file_bytes();
  device.global_buffer_bytes = tiled.global_buffer_bytes();
  device.global_buffer_bytes_per_second = tiled.global_buffer_bytes_per_second();
  device.near_memory = tiled.near_memory();
  return device;
}

}  // namespace tokensim
