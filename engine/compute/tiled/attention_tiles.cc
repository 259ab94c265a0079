#include "engine/compute/tiled/attention_tiles.h"

#include <algorithm>
#include <cmath>

namespace tokensim {
namespace {

constexpr double kActivationBytes = 2;
constexpr double kAccumulatorBytes = 4;
constexpr double kUsualTileRows = 64;  // the smallest of FlashAttention, which the lanes split
constexpr double kMaxTileRows = 512;
constexpr double kMaxTileKeys = 512;
// A smaller tile is preferred when it is this close to the fastest.
constexpr double kNearlyAsFast = 0.95;
// Of each score: scale, maximum, difference, exponential (about 10), sum, conversion.
constexpr double kSoftmaxOperations = 16;
// Before its first block a tile reads a page table, keys and values, each after the other: about
// 0.5 us of main memory on GPUs, 50 ns beside the banks (a row cycle of DRAM).
constexpr double kFirstReadsSeconds = 1.5e-6;
constexpr double kFirstReadsNearMemorySeconds = 0.15e-6;
// Kernels of an attention operator: the write of the new keys and values, attention itself; for
// decodes the sum of the parts of split contexts.
constexpr double kPrefillKernels = 2;
constexpr double kDecodeKernels = 3;
constexpr double kMaxSplits = 128;

}  // namespace

AttentionTiles::AttentionTiles(const TiledMachine& machine, const LayerShard& shard,
                               int32_t head_dim, double kv_bytes_per_element)
    : machine_(machine),
      heads_(shard.heads),
      kv_heads_(shard.kv_heads),
      head_dim_(head_dim),
      kv_bytes_(kv_bytes_per_element),
      prefill_(PrefillTile()),
      decode_(DecodeTile()),
      decode_tiles_(Tiles(heads_ / kv_heads_, decode_.rows)) {}

bool AttentionTiles::Fits(double rows, double keys) const {
  // Beside the banks keys and values stream past the arrays, and the scores leave at once.
  if (machine_.tiles.near_memory) return true;
  const TiledDeviceConfig& d = machine_.tiles;
  const double buffered = rows * head_dim_ * kActivationBytes + 2 * keys * head_dim_ * kv_bytes_;
  const double accumulated = rows * (head_dim_ + keys) * kAccumulatorBytes;
  return buffered <= static_cast<double>(d.local_buffer_bytes) &&
         accumulated <= d.lanes * static_cast<double>(d.register_file_bytes);
}

double AttentionTiles::BlockSeconds(double rows, double keys) const {
  const double cycles = machine_.ArrayCycles(rows, keys, head_dim_) +
                        machine_.ArrayCycles(rows, head_dim_, keys) + 2 * machine_.fill_cycles();
  const double softmax = rows * keys * kSoftmaxOperations * machine_.vector_seconds;
  const double load = 2 * keys * head_dim_ * kv_bytes_ * machine_.weight_byte_seconds;
  return std::max(cycles * machine_.seconds_per_cycle + softmax, load);
}

double AttentionTiles::EdgeSeconds(double rows) const {
  return (machine_.tiles.near_memory ? kFirstReadsNearMemorySeconds : kFirstReadsSeconds) +
         2 * rows * head_dim_ * kActivationBytes * machine_.port_byte_seconds;
}

double AttentionTiles::LeastRows() const {
  const double array = machine_.tiles.systolic_rows;
  return std::max(array, std::min(array * machine_.tiles.lanes, kUsualTileRows));
}

AttentionTiles::Tile AttentionTiles::WithRows(double rows) const {
  Tile best;
  for (double keys = machine_.tiles.systolic_columns; keys <= kMaxTileKeys; keys *= 2) {
    if (best.keys > 0 && !Fits(rows, keys)) break;
    const double block = BlockSeconds(rows, keys);
    if (best.keys == 0 || block / keys < kNearlyAsFast * best.block_seconds / best.keys) {
      best = {rows, keys, block, EdgeSeconds(rows)};
    }
  }
  return best;
}

AttentionTiles::Tile AttentionTiles::PrefillTile() const {
  const auto seconds = [](const Tile& tile) {
    return tile.block_seconds / (tile.rows * tile.keys);
  };
  Tile best = WithRows(LeastRows());
  for (double rows = 2 * best.rows; rows <= kMaxTileRows; rows *= 2) {
    if (!Fits(rows, machine_.tiles.systolic_columns)) break;
    const Tile tile = WithRows(rows);
    if (seconds(tile) < kNearlyAsFast * seconds(best)) best = tile;
  }
  return best;
}

// All heads that share keys, where they fit.
AttentionTiles::Tile AttentionTiles::DecodeTile() const {
  double rows = LeastRows();
  while (rows < heads_ / kv_heads_ && !machine_.tiles.near_memory &&
         Fits(2 * rows, machine_.tiles.systolic_columns)) {
    rows *= 2;
  }
  return WithRows(rows);
}

double AttentionTiles::Blocks(double keys, const Tile& tile) {
  return std::max(1.0, keys / tile.keys + 0.5);
}

double AttentionTiles::Makespan(double work, double longest, double tiles) const {
  if (tiles <= machine_.cores) return longest;
  return std::max(longest, work / machine_.cores + 0.5 * longest);
}

double AttentionTiles::Prefill(std::span<const PrefillChunk> chunks, int32_t parts) const {
  double blocks = 0;   // of one head
  double longest = 0;  // blocks of one tile
  double tiles = 0;    // of one head
  double tokens = 0;   // new
  double context = 0;
  double single = 0;  // chunks of one token
  double single_context = 0;
  double single_longest = 0;
  for (const PrefillChunk& chunk : chunks) {
    const double n = chunk.new_tokens;
    const double keys = static_cast<double>(chunk.history) + n;
    if (chunk.new_tokens == 1) {
      single += 1;
      single_context += keys;
      single_longest = std::max(single_longest, keys);
      continue;
    }
    // The i-th of the tiles visits the history and its first i blocks of rows, the last all keys.
    const double count = Tiles(n, prefill_.rows);
    const double visited = count * chunk.history + prefill_.rows * count * (count - 1) / 2 + n;
    blocks += std::max(count, visited / prefill_.keys + 0.5 * count);
    longest = std::max(longest, Blocks(keys, prefill_));
    tiles += count;
    tokens += n;
    context += keys;
  }
  double seconds = kPrefillKernels * machine_.launch_seconds;
  if (single > 0) {
    seconds += DecodeBody(single / parts, single_context / parts, single_longest);
  }
  if (tiles > 0) {
    const double all_tiles = heads_ * tiles / parts;
    const double work = heads_ * blocks / parts * prefill_.block_seconds;
    // Keys and values of each context are read once, the tiles of a head share them; those of the
    // new tokens are written too, queries read, results written.
    const double bytes = 2 * head_dim_ * kv_heads_ * kv_bytes_ * (context + tokens) +
                         2 * head_dim_ * heads_ * kActivationBytes * tokens;
    seconds += prefill_.edge_seconds * std::max(1.0, all_tiles / machine_.cores) +
               std::max(Makespan(work, std::min(longest * prefill_.block_seconds, work), all_tiles),
                        bytes / parts * machine_.memory_byte_seconds);
  }
  return seconds;
}

double AttentionTiles::DecodeBody(double count, double context, double longest) const {
  const double sequences = count * kv_heads_ * decode_tiles_;  // tiles before they are split
  const double blocks = std::max(count, context / decode_.keys + 0.5 * count) / count;
  const double most = std::max(Blocks(longest, decode_), blocks);
  // What does not pass through the buffers is read again for each tile of a group.
  const double reads = machine_.tiles.near_memory ? decode_tiles_ : 1;
  const double memory = (2 * head_dim_ * kv_heads_ * kv_bytes_ * (context * reads + count) +
                         2 * head_dim_ * heads_ * kActivationBytes * count) *
                        machine_.memory_byte_seconds;
  double best = INFINITY;
  for (double splits = 1; splits <= kMaxSplits; splits *= 2) {
    const double tiles = sequences * splits;
    // A part has a block at least.
    const double work = sequences * std::max(blocks, splits) * decode_.block_seconds;
    const double longest_tile = std::max(1.0, most / splits) * decode_.block_seconds;
    double seconds = decode_.edge_seconds * std::max(1.0, tiles / machine_.cores) +
                     std::max(Makespan(work, longest_tile, tiles), memory);
    // Partial results, their maxima and sums are written to the global buffer and read.
    if (splits > 1) {
      seconds += 2 * splits * count * heads_ * (head_dim_ + 2) * kAccumulatorBytes *
                 machine_.buffer_byte_seconds;
    }
    best = std::min(best, seconds);
    if (splits >= most || tiles >= 4 * machine_.cores) break;  // more parts only cost
  }
  return best;
}

double AttentionTiles::Decode(int64_t count, int64_t context, int64_t longest,
                              int32_t parts) const {
  return kDecodeKernels * machine_.launch_seconds + DecodeBody(static_cast<double>(count) / parts,
                                                               static_cast<double>(context) / parts,
                                                               static_cast<double>(longest));
}

}  // namespace tokensim
