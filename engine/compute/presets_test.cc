// The shipped presets describe the models and devices they name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/plan/test_presets.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;

struct Published {
  const char* preset;
  double billions;
  double tolerance;  // share; the exact checkpoints hold a few things we leave out
  int32_t max_position_embeddings;
};

TEST(PresetsTest, ModelsHaveTheirPublishedParameterCounts) {
  const Published published[] = {
      {"codellama-34b", 33.744, 1e-4, 16384},
      {"llama2-13b", 13.016, 1e-4, 4096},
      {"llama2-70b", 68.977, 1e-4, 4096},
      {"llama2-7b", 6.738, 1e-4, 4096},
      {"llama3.1-70b", 70.554, 1e-4, 131072},
      {"llama3.1-8b", 8.030, 1e-4, 131072},
      {"mixtral-8x7b", 46.703, 1e-4, 32768},
      // Biases and learned positions are left out.
      {"opt-13b", 12.853, 2e-3, 2048},
      {"qwen3-30b-a3b", 30.532, 1e-3, 40960},
      {"qwen3-32b", 32.762, 1e-3, 40960},
  };
  const std::vector<ModelPreset> presets = ReadModelPresets();
  ASSERT_EQ(presets.size(), std::size(published));
  for (size_t i = 0; i < presets.size(); ++i) {
    EXPECT_EQ(presets[i].file, published[i].preset);
    EXPECT_EQ(presets[i].max_position_embeddings, published[i].max_position_embeddings);
    const double billions = 1e-9 * static_cast<double>(ParameterCount(presets[i].config));
    EXPECT_NEAR(billions, published[i].billions, published[i].billions * published[i].tolerance)
        << presets[i].file;
  }
}

TEST(PresetsTest, HardwareIsCompleteAndPlausible) {
  std::vector<std::string> files;
  for (const HardwarePreset& preset : ReadHardwarePresets()) {
    files.push_back(preset.file);
    const DeviceConfig& d = preset.config;
    EXPECT_GE(d.peak_flops, 30e12) << preset.file;
    EXPECT_GE(d.peak_8bit_flops, d.peak_flops) << preset.file;
    EXPECT_GE(d.memory_bytes, int64_t{20} << 30) << preset.file;
    EXPECT_LE(d.memory_bytes, int64_t{141} << 30) << preset.file;
    EXPECT_GE(d.memory_bandwidth_bytes_per_second, 800e9) << preset.file;
    EXPECT_GT(d.compute_efficiency, 0.5) << preset.file;
    EXPECT_LE(d.compute_efficiency, 1) << preset.file;
    EXPECT_GT(d.memory_efficiency, 0.5) << preset.file;
    EXPECT_LE(d.memory_efficiency, 1) << preset.file;
    EXPECT_LT(d.kernel_launch_seconds, 10e-6) << preset.file;
    EXPECT_GE(d.interconnect.bandwidth_bytes_per_second, 32e9) << preset.file;
    EXPECT_GT(d.interconnect.latency_seconds, 0) << preset.file;
    if (preset.tiled.cores > 0) {
      EXPECT_NEAR(preset.tiled.array_flops(), d.peak_flops, 0.03 * d.peak_flops) << preset.file;
    }
  }
  EXPECT_THAT(files, ElementsAre("a100-40g", "a100-80g", "a100-80g-tiled", "gddr6-aim", "h100",
                                 "h200", "l40s", "rtx-4090", "rtx-pro-6000", "tpu-v4", "v100"));
}

}  // namespace
}  // namespace tokensim
