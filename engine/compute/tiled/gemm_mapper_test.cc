#include "engine/compute/tiled/gemm_mapper.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/io/plan/test_presets.h"

namespace tokensim {
namespace {

// Two cores of one 2 x 2 array, one cycle a second, whose accumulators hold one 2 x 2 tile.
constexpr TiledDeviceConfig kToyTiles = {.cores = 2,
                                         .lanes = 1,
                                         .systolic_rows = 2,
                                         .systolic_columns = 2,
                                         .vector_width = 16,
                                         .frequency_hertz = 1,
                                         .local_buffer_bytes = 64,
                                         .register_file_bytes = 16,
                                         .global_buffer_bytes = 1 << 20,
                                         .global_buffer_bytes_per_second = 16};

DeviceConfig ToyDevice(double bandwidth) {
  return {.peak_flops = 16, .memory_bandwidth_bytes_per_second = bandwidth};
}

GemmMapping MapOnToy(const TiledDeviceConfig& tiles, double bandwidth, const GemmShape& shape) {
  return GemmMapper(TiledMachine(tiles, ToyDevice(bandwidth)), 2, 1).Map(shape);
}

// Three tiles on two cores. Half the local buffer holds 4 of k: 4 x (2 + 2) elements.
constexpr GemmShape kToyShape = {.rows = 2, .inner = 8, .outer = 6};

TEST(GemmMapperTest, ArraysByHand) {
  const GemmMapping m = MapOnToy(kToyTiles, 100, kToyShape);
  EXPECT_EQ(m.tile_rows, 2);
  EXPECT_EQ(m.tile_columns, 2);
  EXPECT_EQ(m.tile_depth, 4);
  EXPECT_EQ(m.splits, 1);
  EXPECT_EQ(m.waves, 2);
  // 8 of k, and 2 cycles to fill the array in each of 2 steps; the port brings 64 bytes in 8 s.
  EXPECT_EQ(m.core_seconds, 12);
  // 4 of k come first: 32 bytes at 8 B/s; 2 x 2 results leave: 8 bytes.
  EXPECT_EQ(m.edge_seconds, 4 + 1);
  EXPECT_DOUBLE_EQ(m.memory_seconds, (2 * 8 * 2 + 8 * 6 * 2 + 2 * 6 * 2) / 100.0);
  EXPECT_EQ(m.seconds, 12 + 5 + 12 + 5);
}

TEST(GemmMapperTest, MemoryByHand) {
  // 152 bytes at 1 B/s: the arrays hide behind them, first load and store do not.
  EXPECT_DOUBLE_EQ(MapOnToy(kToyTiles, 1, kToyShape).seconds, 152 + 2 * 5);
}

TEST(GemmMapperTest, PartialTilesTakeAsLongAsWholeOnesInTheArrays) {
  const GemmMapping one = MapOnToy(kToyTiles, 100, {.rows = 1, .inner = 8, .outer = 6});
  EXPECT_EQ(one.core_seconds, 12);
  // But load and store less: 4 x (1 + 2) elements, 1 x 2 results.
  EXPECT_EQ(one.edge_seconds, 3 + 0.5);
}

TEST(GemmMapperTest, SmallGlobalBufferReadsInputsAgain) {
  TiledDeviceConfig tiles = kToyTiles;
  const GemmShape shape = {.rows = 8, .inner = 8, .outer = 8};
  const double once = 8 * 8 * 2 + 8 * 8 * 2;
  EXPECT_DOUBLE_EQ(MapOnToy(tiles, 1, shape).memory_seconds, once + 8 * 8 * 2);
  // Half of it keeps 2 rows of x, a tile: W passes by 4 times. 4 rows: twice.
  tiles.global_buffer_bytes = 2 * 2 * 8 * 2;
  EXPECT_DOUBLE_EQ(MapOnToy(tiles, 1, shape).memory_seconds, once + 3 * 128 + 128);
  tiles.global_buffer_bytes = 2 * 4 * 8 * 2;
  EXPECT_DOUBLE_EQ(MapOnToy(tiles, 1, shape).memory_seconds, once + 128 + 128);
}

TEST(GemmMapperTest, NearMemoryReadsWeightsForEachRowOfTiles) {
  TiledDeviceConfig tiles = kToyTiles;
  tiles.near_memory = true;
  const GemmMapping two = MapOnToy(tiles, 1, {.rows = 2, .inner = 8, .outer = 6});
  const GemmMapping four = MapOnToy(tiles, 1, {.rows = 4, .inner = 8, .outer = 6});
  EXPECT_DOUBLE_EQ(two.memory_seconds, 32 + 96 + 24);
  EXPECT_DOUBLE_EQ(four.memory_seconds, 64 + 2 * 96 + 48);
  // The weights of a tile, 32 bytes, come at half of 1 B/s.
  EXPECT_DOUBLE_EQ(two.core_seconds, 64);
}

TEST(GemmMapperTest, SplitsKWhenTilesDoNotFillTheCores) {
  // One tile: two cores take half of k each, and their parts are added through the global buffer.
  const GemmMapping m = MapOnToy(kToyTiles, 1e6, {.rows = 2, .inner = 64, .outer = 2});
  EXPECT_EQ(m.splits, 2);
  EXPECT_EQ(m.waves, 1);
  const double parts = 2 * 2 * 2 * 4;
  EXPECT_NEAR(m.seconds, (32 + 2 * 8) + (4 + 16 / 8.0) + 2 * parts / 16 + 1e-6, 1e-9);
}

TEST(GemmMapperTest, ExpertsAreMatricesOfTheirOwn) {
  const GemmShape experts = {.rows = 4, .inner = 8, .outer = 6, .matrices = 2};
  EXPECT_EQ(MapOnToy(kToyTiles, 100, experts).waves, 3);  // 2 x 3 tiles
  EXPECT_DOUBLE_EQ(MapOnToy(kToyTiles, 100, experts).memory_seconds,
                   (4 * 8 * 2 + 2 * 8 * 6 * 2 + 4 * 6 * 2) / 100.0);
}

TEST(GemmMapperTest, EightBitWeightsDoubleTheRate) {
  const TiledMachine machine(kToyTiles, ToyDevice(1e6));
  const GemmMapping m = GemmMapper(machine, 1, 2).Map(kToyShape);
  EXPECT_EQ(m.core_seconds, 6);
}

struct Named {
  std::string name;
  TiledDeviceConfig tiles;
  DeviceConfig figures;
};

std::vector<Named> Devices() {
  std::vector<Named> devices;
  for (const HardwarePreset& preset : ReadHardwarePresets()) {
    if (preset.tiled.cores > 0) devices.push_back({preset.file, preset.tiled, preset.config});
  }
  return devices;
}

const std::vector<double> kRows = {1, 2, 7, 16, 17, 64, 100, 128, 129, 500, 2048, 5000};
const std::vector<double> kSides = {96, 1000, 4096, 11008, 28672};

TEST(GemmMapperTest, NeverFasterThanPeakOrMemory) {
  for (const Named& device : Devices()) {
    const GemmMapper mapper(TiledMachine(device.tiles, device.figures), 2, 1);
    const double peak = std::min(device.figures.peak_flops, device.tiles.array_flops());
    for (const double m : kRows) {
      for (const double k : kSides) {
        for (const double n : kSides) {
          const GemmMapping mapping = mapper.Map({.rows = m, .inner = k, .outer = n});
          const double bytes = 2 * (m * k + k * n + m * n);
          EXPECT_GE(mapping.seconds, 2 * m * k * n / peak) << device.name;
          EXPECT_GE(mapping.seconds, bytes / device.figures.memory_bandwidth_bytes_per_second)
              << device.name;
          EXPECT_TRUE(std::isfinite(mapping.seconds));
        }
      }
    }
  }
}

// The search finds what trying every split of every tile finds, but of tiles that half a tile could
// replace.
TEST(GemmMapperTest, PruningLosesNothing) {
  for (const Named& device : Devices()) {
    const GemmMapper mapper(TiledMachine(device.tiles, device.figures), 2, 1);
    for (const double m : kRows) {
      for (const double k : kSides) {
        for (const double n : kSides) {
          const GemmShape shape = {.rows = m, .inner = k, .outer = n};
          double best = INFINITY;
          for (size_t tile = 0; tile < mapper.tile_count(); ++tile) {
            for (double splits = 1; splits <= 32; splits *= 2) {
              const GemmMapping mapping = mapper.MapWith(shape, tile, splits);
              const TiledDeviceConfig& d = device.tiles;
              const bool large =
                  (mapping.tile_rows >= 2 * m && mapping.tile_rows > d.systolic_rows) ||
                  (mapping.tile_columns >= 2 * n && mapping.tile_columns > d.systolic_columns);
              if (!large) best = std::min(best, mapping.seconds);
            }
          }
          EXPECT_EQ(mapper.Map(shape).seconds, best)
              << device.name << ' ' << m << ' ' << k << ' ' << n;
        }
      }
    }
  }
}

// Halves of the local buffer fill whole before the arrays start, so that a larger tile, whose
// halves are less deep, may start earlier than a smaller one.
constexpr double kQuantum = 1.05;

TEST(GemmMapperTest, LargerIsNotFaster) {
  for (const Named& device : Devices()) {
    const GemmMapper mapper(TiledMachine(device.tiles, device.figures), 2, 1);
    for (const double k : kSides) {
      for (const double n : kSides) {
        double before = 0;
        for (double m = 1; m <= 4096; m += m < 300 ? 1 : 37) {
          const double seconds = device.figures.kernel_launch_seconds +
                                 mapper.Map({.rows = m, .inner = k, .outer = n}).seconds;
          EXPECT_GE(seconds * kQuantum, before) << device.name << ' ' << m << ' ' << k << ' ' << n;
          before = std::max(before, seconds);
        }
      }
    }
  }
}

TEST(GemmMapperTest, MoreHardwareIsNotSlower) {
  for (const Named& device : Devices()) {
    const GemmMapper mapper(TiledMachine(device.tiles, device.figures), 2, 1);
    const auto check = [&](const char* what, const TiledDeviceConfig& tiles,
                           const DeviceConfig& figures, double quantum = kQuantum) {
      const GemmMapper better(TiledMachine(tiles, figures), 2, 1);
      for (const double m : kRows) {
        for (const double k : kSides) {
          for (const double n : kSides) {
            const GemmShape shape = {.rows = m, .inner = k, .outer = n};
            EXPECT_LE(better.Map(shape).seconds, mapper.Map(shape).seconds * quantum)
                << device.name << " with more " << what << ' ' << m << ' ' << k << ' ' << n;
          }
        }
      }
    };
    DeviceConfig bandwidth = device.figures;
    bandwidth.memory_bandwidth_bytes_per_second *= 1.5;
    check("bandwidth", device.tiles, bandwidth);
    TiledDeviceConfig port = device.tiles;
    port.global_buffer_bytes_per_second *= 1.5;
    check("global buffer bandwidth", port, device.figures);
    TiledDeviceConfig global = device.tiles;
    global.global_buffer_bytes *= 2;
    check("global buffer", global, device.figures);
    TiledDeviceConfig local = device.tiles;
    local.local_buffer_bytes *= 2;
    check("local buffer", local, device.figures, 1.15);  // deeper halves, see kQuantum
    TiledDeviceConfig registers = device.tiles;
    registers.register_file_bytes *= 2;
    check("registers", registers, device.figures);
    TiledDeviceConfig cores = device.tiles;  // each with its port
    cores.cores *= 2;
    cores.global_buffer_bytes_per_second *= 2;
    DeviceConfig peak = device.figures;
    peak.peak_flops *= 2;
    // Beside the banks a core comes with its share of the memory.
    if (cores.near_memory) peak.memory_bandwidth_bytes_per_second *= 2;
    check("cores", cores, peak);
  }
}

}  // namespace
}  // namespace tokensim
