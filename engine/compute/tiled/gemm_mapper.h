// The fastest way to cut a GEMM into tiles for the cores of a device.
//
//   const GemmMapper mapper(machine, /*weight_bytes=*/2, /*rate=*/1);
//   const GemmMapping best = mapper.Map({.rows = 512, .inner = 4096, .outer = 4096});
//
// y[m, n] = x[m, k] W[k, n] is cut into tiles of the output. A core computes one at a time: its
// accumulators hold the tile while x and W stream through the two halves of its local buffer,
// `depth` of k at a time (double buffering: one half fills as the other is used). The cores take
// tiles in waves; the last may be partly empty. k may be split over several cores, whose parts are
// then added. Of one tiling, a tile's time in its core and its edges, first load and store:
//
//   tile    = max(arrays, port of the core)
//   seconds = max(waves * tile, main memory) + waves * edge
//
// What crosses main memory is x, W and y once, and x or W again for each block of the output when
// the global buffer does not keep them. This is LLMCompass's mapping (Zhang et al., ISCA 2024) in
// closed form: a mapping is searched in microseconds. docs/tiled.md has a worked example.
//
// Immutable, thread-safe.
#pragma once

#include <vector>

#include "engine/compute/tiled/tiled_machine.h"

namespace tokensim {

struct GemmShape {
  double rows = 0;      // m, over all matrices; >= 1
  double inner = 0;     // k
  double outer = 0;     // n
  double matrices = 1;  // weight matrices that the rows are spread over evenly
};

struct GemmMapping {
  double tile_rows = 0;
  double tile_columns = 0;
  double tile_depth = 0;      // of k, in one half of the local buffer
  double splits = 1;          // of k, over cores
  double waves = 0;           // of tiles over the cores, rounded up
  double core_seconds = 0;    // one tile in one core: the longer of arrays and port
  double edge_seconds = 0;    // its first load and its store
  double memory_seconds = 0;  // main memory, the whole GEMM
  double seconds = 0;         // the whole GEMM, the start of the kernel not included
};

class GemmMapper {
 public:
  // `rate`: speed of the arrays with the type of the weights, relative to 16 bits.
  GemmMapper(const TiledMachine& machine, double weight_bytes, double rate);

  [[nodiscard]] GemmMapping Map(const GemmShape& shape) const;
  // With this tile only. `tile`, an index below tile_count().
  [[nodiscard]] GemmMapping MapWith(const GemmShape& shape, size_t tile, double splits) const {
    return MapWith(shape, tiles_[tile], splits,
                   Traffic(shape, tiles_[tile]) * machine_.memory_byte_seconds);
  }
  [[nodiscard]] size_t tile_count() const { return tiles_.size(); }

 private:
  struct Tile {
    double rows;
    double columns;
    double depth;
    double depth_cycles;  // of the arrays for one of k
  };
  // Bytes that cross main memory.
  [[nodiscard]] double Traffic(const GemmShape& shape, const Tile& tile) const;
  [[nodiscard]] GemmMapping MapWith(const GemmShape& shape, const Tile& tile, double splits,
                                    double memory_seconds) const;

  TiledMachine machine_;
  double weight_bytes_;
  double seconds_per_cycle_;
  std::vector<Tile> tiles_;  // that fit the buffers; rows ascending
};

}  // namespace tokensim
