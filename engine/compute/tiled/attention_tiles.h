// Attention of one layer on a tiled device: fused tiles, as in FlashAttention (Dao, arXiv
// 2307.08691) and FlashDecoding.
//
//   const AttentionTiles attention(machine, shard, /*head_dim=*/128, /*kv_bytes=*/2);
//   double seconds = attention.Prefill(chunks, /*parts=*/1);
//
// A core holds `rows` queries of one head and walks through their keys and values, a block of
// `keys` at a time: QK^T on the arrays, softmax on the vector units, PV on the arrays. As a kernel
// is built for one tile, it is chosen once per head size, the smallest within 5 % of the fastest,
// and what is shorter is padded to it: on an A100 it is FlashAttention's 64 x 128.
//
// A prompt has a tile for each head and `rows` tokens, which visits the history and half of its
// own block in the mean. A decode packs the heads that share keys into one tile, and splits long
// contexts over the cores. Of unequal tiles a list schedule ends half the longest after the mean
// of the cores.
//
// Everything is in closed form: O(chunks). Immutable, thread-safe.
#pragma once

#include <cstdint>
#include <span>

#include "engine/compute/compute_model.h"
#include "engine/compute/tiled/tiled_machine.h"
#include "engine/model/model.h"

namespace tokensim {

class AttentionTiles {
 public:
  struct Tile {
    double rows = 0;           // queries
    double keys = 0;           // of one block
    double block_seconds = 0;  // of one block
    double edge_seconds = 0;   // first reads, load of the queries, store of the result
  };

  AttentionTiles(const TiledMachine& machine, const LayerShard& shard, int32_t head_dim,
                 double kv_bytes_per_element);

  // Of one of `parts` equal micro-batches, the starts of the kernels included. Chunks of one token
  // are priced as decodes, which kernels pack.
  [[nodiscard]] double Prefill(std::span<const PrefillChunk> chunks, int32_t parts) const;
  // `longest`: of the contexts; 0: not known, they are equal.
  [[nodiscard]] double Decode(int64_t count, int64_t context, int64_t longest, int32_t parts) const;

  [[nodiscard]] const Tile& prefill_tile() const { return prefill_; }
  [[nodiscard]] const Tile& decode_tile() const { return decode_; }

 private:
  [[nodiscard]] bool Fits(double rows, double keys) const;
  [[nodiscard]] double BlockSeconds(double rows, double keys) const;
  [[nodiscard]] double EdgeSeconds(double rows) const;
  // One array high, or what the lanes have together up to 64.
  [[nodiscard]] double LeastRows() const;
  // The best block for `rows` queries.
  [[nodiscard]] Tile WithRows(double rows) const;
  [[nodiscard]] Tile PrefillTile() const;
  [[nodiscard]] Tile DecodeTile() const;
  // Blocks that hold `keys` which begin and end anywhere, in the mean.
  [[nodiscard]] static double Blocks(double keys, const Tile& tile);
  // Of `tiles` on all cores, `work` seconds in all, the longest of which takes `longest`.
  [[nodiscard]] double Makespan(double work, double longest, double tiles) const;
  // Without the starts of the kernels.
  [[nodiscard]] double DecodeBody(double count, double context, double longest) const;

  TiledMachine machine_;
  double heads_;
  double kv_heads_;
  double head_dim_;
  double kv_bytes_;  // of one element
  Tile prefill_;
  Tile decode_;
  double decode_tiles_;  // of one sequence and KV head, before it is split: 1, or more when the
                         // heads of a group do not fit one
};

}  // namespace tokensim
