#include "engine/io/plan/features/tiled.h"

#include <cmath>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "engine/io/plan/fields.h"
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

constexpr int64_t kMaxBytes = 1'000'000'000'000'000;
constexpr char kHint[] = "an accelerator of tiles has it (docs/tiled.md)";
constexpr FieldRule kFigures[] = {Integer("cores", 1, 1'000'000).Required(kHint),
                                  Integer("lanes", 1, 1'024).Required(kHint),
                                  Integer("systolic_rows", 1, 512).Required(kHint),
                                  Integer("systolic_columns", 1, 512).Required(kHint),
                                  Integer("vector_width", 1, 1'000'000).Required(kHint),
                                  Positive("frequency_hertz", 1e12).Required(kHint),
                                  Integer("local_buffer_bytes", 1, kMaxBytes).Required(kHint),
                                  Integer("register_file_bytes", 1, kMaxBytes).Required(kHint),
                                  Integer("global_buffer_bytes", 1, kMaxBytes).Required(kHint),
                                  Positive("global_buffer_bytes_per_second", 1e21).Required(kHint),
                                  Flag("near_memory").Default(0)};

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

void ResolveTiled(const Checker& check, bool used, v1::Hardware* hardware) {
  if (!hardware->has_tiled()) {
    if (used) {
      check.Missing("tiled", absl::StrCat("is missing: `compute: {tiled: {}}` needs the hardware's "
                                          "arrays and buffers; presets that have them: ",
                                          absl::StrJoin(PresetsWithTiles(), ", ")));
    }
    return;
  }
  const Checker tiled(check.findings(), check.Path("tiled"));
  const bool good = ResolveFields(tiled, kFigures, hardware->mutable_tiled());
  if (!used) {
    RemoveUnused(check, "tiled", "it needs `compute: {tiled: {}}`", hardware);
  } else if (good) {
    CheckTogether(tiled, hardware->tiled(),
                  check.Broken("peak_flops") ? 0 : hardware->peak_flops());
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
