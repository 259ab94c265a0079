#include "engine/compute/tiled/attention_tiles.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/io/plan/test_presets.h"

namespace tokensim {
namespace {

// As in gemm_mapper_test.cc, with accumulators for 2 queries and 2 keys of heads of 4.
constexpr TiledDeviceConfig kToyTiles = {.cores = 2,
                                         .lanes = 1,
                                         .systolic_rows = 2,
                                         .systolic_columns = 2,
                                         .vector_width = 16,
                                         .frequency_hertz = 1,
                                         .local_buffer_bytes = 64,
                                         .register_file_bytes = 48,
                                         .global_buffer_bytes = 1 << 20,
                                         .global_buffer_bytes_per_second = 16};
constexpr double kFirstReads = 1.5e-6;

AttentionTiles Toy(double bandwidth = 100, const TiledDeviceConfig& tiles = kToyTiles) {
  const DeviceConfig figures = {.peak_flops = 16, .memory_bandwidth_bytes_per_second = bandwidth};
  return AttentionTiles(TiledMachine(tiles, figures), {.heads = 2, .kv_heads = 1}, 4, 2);
}

TEST(AttentionTilesTest, TileByHand) {
  const AttentionTiles toy = Toy();
  EXPECT_EQ(toy.prefill_tile().rows, 2);
  EXPECT_EQ(toy.prefill_tile().keys, 2);
  // QK^T: 4 cycles; PV: 2 pieces of 2; both fill in 2. Softmax: 4 scores x 16 on 16 lanes.
  EXPECT_EQ(toy.prefill_tile().block_seconds, 4 + 2 * 2 + 2 * 2 + 4);
  EXPECT_NEAR(toy.prefill_tile().edge_seconds, 2 * 2 * 4 * 2 / 8.0, 1e-5);
}

TEST(AttentionTilesTest, PrefillByHand) {
  const PrefillChunk chunk{.new_tokens = 4, .history = 0};
  // Of each of 2 heads 2 tiles, which visit 2 and 4 keys: blocks 1.5 and 2.5, half a block for
  // where they end. The cores work for 4 x 2 x 16 s, the last half a long tile longer.
  const double work = 2 * (1.5 + 2.5) * 16;
  EXPECT_NEAR(Toy().Prefill({&chunk, 1}, 1), 2 * 4 + work / 2 + 0.5 * 2.5 * 16, 1e-4);
  // Keys and values of 4 tokens are read and written, 2 heads of queries and results.
  const double bytes = 2 * 4 * 2 * (4 + 4) + 2 * 4 * 2 * 2 * 4;
  EXPECT_NEAR(Toy(0.1).Prefill({&chunk, 1}, 1), 2 * 4 + bytes / 0.1, 1e-4);
}

TEST(AttentionTilesTest, HistoryIsVisitedByEveryTile) {
  const PrefillChunk fresh{.new_tokens = 4, .history = 0};
  const PrefillChunk later{.new_tokens = 4, .history = 20};
  // 10 more blocks in each of 4 tiles, on 2 cores; and in half of the longest.
  EXPECT_NEAR(Toy().Prefill({&later, 1}, 1) - Toy().Prefill({&fresh, 1}, 1),
              10 * 16 * 4 / 2 + 0.5 * 10 * 16, 1e-9);
}

TEST(AttentionTilesTest, DecodeByHand) {
  // Both heads in one tile, 4 blocks and half: split over the 2 cores, whose parts, 2 heads x 6
  // numbers of 4 bytes each, are written and read.
  const double split = 4.5 / 2 * 16 + 4 + 2 * 2 * 2 * 6 * 4 / 16.0;
  EXPECT_NEAR(Toy().Decode(1, 8, 8, 1), split, 1e-4);
  // 0.1 B/s: keys and values of 8 tokens and the new one, 2 heads of queries and results.
  const double bytes = 2 * 4 * 2 * (8 + 1) + 2 * 4 * 2 * 2;
  EXPECT_NEAR(Toy(0.1).Decode(1, 8, 8, 1), bytes / 0.1 + 4, 1e-4);
}

TEST(AttentionTilesTest, TheLongestContextIsTheLast) {
  const AttentionTiles toy = Toy();
  EXPECT_GT(toy.Decode(8, 80, 60, 1), toy.Decode(8, 80, 10, 1));
  EXPECT_EQ(toy.Decode(8, 80, 0, 1), toy.Decode(8, 80, 10, 1));
}

TEST(AttentionTilesTest, NearMemoryReadsKeysForEachTileOfAGroup) {
  TiledDeviceConfig tiles = kToyTiles;
  tiles.near_memory = true;
  const DeviceConfig slow = {.peak_flops = 16, .memory_bandwidth_bytes_per_second = 0.01};
  // 4 heads share keys: 2 tiles of 2 rows.
  const AttentionTiles grouped(TiledMachine(tiles, slow), {.heads = 4, .kv_heads = 1}, 4, 2);
  EXPECT_GE(grouped.Decode(1, 100, 100, 1), 2 * 2 * 4 * 2 * 100 / 0.01);
}

TEST(AttentionTilesTest, KernelsAreLaunched) {
  const DeviceConfig figures = {
      .peak_flops = 16, .memory_bandwidth_bytes_per_second = 100, .kernel_launch_seconds = 1000};
  const AttentionTiles toy(TiledMachine(kToyTiles, figures), {.heads = 2, .kv_heads = 1}, 4, 2);
  const PrefillChunk chunk{.new_tokens = 4, .history = 0};
  EXPECT_NEAR(toy.Prefill({&chunk, 1}, 1), 2000 + Toy().Prefill({&chunk, 1}, 1), 1e-9);
  EXPECT_NEAR(toy.Decode(1, 8, 8, 1), 3000 + Toy().Decode(1, 8, 8, 1), 1e-9);
}

std::vector<HardwarePreset> Devices() {
  std::vector<HardwarePreset> devices;
  for (const HardwarePreset& preset : ReadHardwarePresets()) {
    if (preset.tiled.cores > 0) devices.push_back(preset);
  }
  return devices;
}

TEST(AttentionTilesTest, NeverFasterThanPeakOrMemoryAndLargerIsNotFaster) {
  for (const HardwarePreset& device : Devices()) {
    const DeviceConfig& d = device.config;
    const AttentionTiles attention(TiledMachine(device.tiled, d), {.heads = 32, .kv_heads = 8}, 128,
                                   2);
    double before = 0;
    for (int64_t context = 1; context < 100'000; context += 1 + context / 50) {
      const double seconds = attention.Decode(16, 16 * context, context, 1);
      const double work = 4.0 * 32 * 128 * 16 * static_cast<double>(context);
      EXPECT_GE(seconds, before) << device.file << ' ' << context;
      EXPECT_GE(seconds, work / d.peak_flops) << device.file;
      EXPECT_GE(seconds, work / 4 / d.memory_bandwidth_bytes_per_second) << device.file;
      before = seconds;
    }
    before = 0;
    for (int64_t count = 1; count < 1000; ++count) {
      const double seconds = attention.Decode(count, 700 * count, 700, 1);
      EXPECT_GE(seconds, before) << device.file << ' ' << count;
      before = seconds;
    }
    for (const int32_t history : {0, 1, 5000}) {
      before = 0;
      for (int32_t n = 2; n < 20'000; n += 1 + n / 40) {
        const PrefillChunk chunk{.new_tokens = n, .history = history};
        const double seconds = attention.Prefill({&chunk, 1}, 1);
        const double pairs = n * (history + 0.5 * (n + 1));
        EXPECT_GE(seconds, before) << device.file << ' ' << n << ' ' << history;
        EXPECT_GE(seconds, 4.0 * 32 * 128 * pairs / d.peak_flops) << device.file << ' ' << n;
        before = seconds;
      }
    }
  }
}

}  // namespace
}  // namespace tokensim
