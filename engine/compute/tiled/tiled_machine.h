// The rates at which a tiled device works, from its description.
//
//   const TiledMachine machine(a100_tiles, a100);
//   double seconds = cycles * machine.seconds_per_cycle;
//
// Peak and bandwidth are those that the device reaches: the figures of its data sheet times
// compute_efficiency and memory_efficiency. Every core has an equal share of the bandwidth of the
// global buffer, as an SM has a port of its own to L2, and near the memory an equal share of the
// memory.
#pragma once

#include <algorithm>

#include "engine/hardware/device.h"
#include "engine/hardware/tiled_device.h"

namespace tokensim {

// Whole tiles that cover `size`.
[[nodiscard]] inline double Tiles(double size, double tile) {
  const double whole = static_cast<double>(static_cast<int64_t>(size / tile));
  return whole * tile < size ? whole + 1 : whole;
}

struct TiledMachine {
  TiledMachine(const TiledDeviceConfig& device, const DeviceConfig& figures)
      : tiles(device),
        cores(device.cores),
        seconds_per_cycle(std::max(1.0, device.array_flops() / figures.peak_flops) /
                          (device.frequency_hertz * figures.compute_efficiency)),
        vector_seconds(1 / (device.frequency_hertz * device.lanes * device.vector_width *
                            figures.compute_efficiency)),
        memory_byte_seconds(
            1 / (figures.memory_bandwidth_bytes_per_second * figures.memory_efficiency)),
        buffer_byte_seconds(1 / device.global_buffer_bytes_per_second),
        port_byte_seconds(cores / device.global_buffer_bytes_per_second),
        weight_byte_seconds(device.near_memory ? cores * memory_byte_seconds : port_byte_seconds),
        launch_seconds(figures.kernel_launch_seconds) {}

  // Cycles of one array until the first result is out and after the last input is in.
  [[nodiscard]] double fill_cycles() const {
    return tiles.systolic_rows + tiles.systolic_columns - 2;
  }
  // Cycles in which the arrays of a core multiply [rows, depth] by [depth, columns]. An array
  // computes systolic_rows x systolic_columns results in `depth` cycles, whether it needs all of
  // them or not (output-stationary; weight-stationary takes as many). The lanes share the pieces.
  [[nodiscard]] double ArrayCycles(double rows, double columns, double depth) const {
    const double pieces = Tiles(rows, tiles.systolic_rows) * Tiles(columns, tiles.systolic_columns);
    return Tiles(pieces, tiles.lanes) * depth;
  }

  TiledDeviceConfig tiles;
  double cores;
  double seconds_per_cycle;    // of the arrays, 16-bit
  double vector_seconds;       // of one operation of a vector unit of a core
  double memory_byte_seconds;  // main memory
  double buffer_byte_seconds;  // global buffer, all cores together
  double port_byte_seconds;    // global buffer, one core
  double weight_byte_seconds;  // weights and KV cache into one core
  double launch_seconds;
};

}  // namespace tokensim
