#include "engine/compute/tiled/gemm_mapper.h"

#include <algorithm>
#include <cmath>

namespace tokensim {
namespace {

constexpr double kActivationBytes = 2;
constexpr double kAccumulatorBytes = 4;
constexpr double kMaxTileSide = 512;  // rows and columns: 16 arrays of 32, 4 of 128
constexpr double kMaxDepth = 256;     // of k, in half the local buffer
constexpr double kMaxSplits = 32;
constexpr double kMinSplitDepth = 16;  // of k, in one core
// Parts of k are added when the last core has written its own: two round trips to main memory.
constexpr double kJoinSeconds = 1e-6;

// Sides of tiles: the array's, doubled up to the largest.
std::vector<double> Sides(double array) {
  std::vector<double> sides = {array};
  while (2 * sides.back() <= kMaxTileSide) sides.push_back(2 * sides.back());
  return sides;
}

}  // namespace

GemmMapper::GemmMapper(const TiledMachine& machine, double weight_bytes, double rate)
    : machine_(machine),
      weight_bytes_(weight_bytes),
      seconds_per_cycle_(machine.seconds_per_cycle / rate) {
  const TiledDeviceConfig& d = machine.tiles;
  const double accumulators = 1.0 * d.lanes * static_cast<double>(d.register_file_bytes);
  for (const double rows : Sides(d.systolic_rows)) {
    for (const double columns : Sides(d.systolic_columns)) {
      const bool smallest = tiles_.empty();  // is always there
      if (!smallest && rows * columns * kAccumulatorBytes > accumulators) continue;
      // Near the memory only the inputs are buffered.
      const double per_depth =
          rows * kActivationBytes + (d.near_memory ? 0 : columns * weight_bytes);
      double depth = 1;
      while (depth < kMaxDepth &&
             2 * (2 * depth) * per_depth <= static_cast<double>(d.local_buffer_bytes)) {
        depth *= 2;
      }
      tiles_.push_back({rows, columns, depth, machine.ArrayCycles(rows, columns, 1)});
    }
  }
}

double GemmMapper::Traffic(const GemmShape& shape, const Tile& tile) const {
  const double rows = std::max(1.0, shape.rows / shape.matrices);  // of one matrix
  const double inputs = shape.rows * shape.inner * kActivationBytes;
  const double weights = shape.matrices * shape.inner * shape.outer * weight_bytes_;
  const double outputs = shape.rows * shape.outer * kActivationBytes;
  const double down = Tiles(rows, tile.rows);
  const double across = Tiles(shape.outer, tile.columns);
  // Beside the banks nothing keeps weights: every row of tiles reads them again.
  if (machine_.tiles.near_memory) return inputs + weights * down + outputs;

  // Half of the global buffer keeps rows of x while W streams past, or columns of W while x does.
  const double kept = 0.5 * static_cast<double>(machine_.tiles.global_buffer_bytes);
  const auto passes = [&](double tile_bytes, double tile_count) {
    return Tiles(tile_count, std::max(1.0, std::floor(kept / tile_bytes)));
  };
  const double keep_inputs =
      inputs + weights * passes(tile.rows * shape.inner * kActivationBytes, down);
  const double keep_weights =
      weights + inputs * passes(tile.columns * shape.inner * weight_bytes_, across);
  // Or neither: a wave of tiles, about as wide as high, reads its own rows and columns.
  const double wave_across =
      std::clamp(std::floor(std::sqrt(machine_.cores * tile.rows / tile.columns)), 1.0, across);
  const double wave_down = std::max(1.0, std::floor(machine_.cores / wave_across));
  const double by_wave = inputs * Tiles(across, wave_across) + weights * Tiles(down, wave_down);
  return std::min({keep_inputs, keep_weights, by_wave}) + outputs;
}

GemmMapping GemmMapper::MapWith(const GemmShape& shape, const Tile& tile, double splits,
                                double memory_seconds) const {
  const double rows = std::max(1.0, shape.rows / shape.matrices);
  const double used_rows = std::min(rows, tile.rows);
  const double used_columns = std::min(shape.outer, tile.columns);
  // Of one core.
  const double depth = splits == 1 ? shape.inner : std::max(kMinSplitDepth, shape.inner / splits);
  const double steps = Tiles(depth, tile.depth);

  const double arrays =
      (tile.depth_cycles * depth + machine_.fill_cycles() * steps) * seconds_per_cycle_;
  const double input_load = depth * used_rows * kActivationBytes * machine_.port_byte_seconds;
  const double weight_load = depth * used_columns * weight_bytes_ * machine_.weight_byte_seconds;
  const double load =
      machine_.tiles.near_memory ? std::max(input_load, weight_load) : input_load + weight_load;
  const double output_bytes = splits > 1 ? kAccumulatorBytes : kActivationBytes;

  GemmMapping mapping{.tile_rows = tile.rows,
                      .tile_columns = tile.columns,
                      .tile_depth = std::min(tile.depth, depth),
                      .splits = splits};
  mapping.core_seconds = std::max(arrays, load);
  mapping.edge_seconds = load * std::min(1.0, tile.depth / depth) +
                         used_rows * used_columns * output_bytes * machine_.port_byte_seconds;
  mapping.memory_seconds = memory_seconds;

  const double tiles =
      shape.matrices * Tiles(rows, tile.rows) * Tiles(shape.outer, tile.columns) * splits;
  mapping.waves = Tiles(tiles, machine_.cores);
  mapping.seconds = std::max(mapping.waves * mapping.core_seconds, mapping.memory_seconds) +
                    mapping.waves * mapping.edge_seconds;
  if (splits > 1) {
    const double parts = splits * shape.rows * shape.outer * kAccumulatorBytes;
    mapping.seconds += kJoinSeconds + 2 * parts * machine_.buffer_byte_seconds;
  }
  return mapping;
}

// The least over all tilings that are not larger than the output needs; skips what cannot be it.
GemmMapping GemmMapper::Map(const GemmShape& shape) const {
  const double rows = std::max(1.0, shape.rows / shape.matrices);
  GemmMapping best{.seconds = INFINITY};
  for (const Tile& tile : tiles_) {
    // Half the tile would cover the output as well.
    if (tile.rows >= 2 * rows && tile.rows >= 2 * machine_.tiles.systolic_rows) continue;
    if (tile.columns >= 2 * shape.outer && tile.columns >= 2 * machine_.tiles.systolic_columns) {
      continue;
    }
    const double memory_seconds = Traffic(shape, tile) * machine_.memory_byte_seconds;
    const double tiles = shape.matrices * Tiles(rows, tile.rows) * Tiles(shape.outer, tile.columns);
    const double at_least = std::max(memory_seconds, tiles / machine_.cores * tile.depth_cycles *
                                                         shape.inner * seconds_per_cycle_);
    for (double splits = 1; splits <= kMaxSplits; splits *= 2) {
      if (at_least + (splits > 1 ? kJoinSeconds : 0) >= best.seconds) break;
      const GemmMapping mapping = MapWith(shape, tile, splits, memory_seconds);
      if (mapping.seconds < best.seconds) best = mapping;
    }
  }
  return best;
}

}  // namespace tokensim
