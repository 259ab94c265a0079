// Time of one layer's attention, interpolated in measurements over four sizes.
//
// Steps that mix a chunk with decodes take up to twice the time of both alone, so their time is one
// function of four sizes: chunk, its history, decodes, their context. Measurements form, for every
// chunk size, a grid over the other three; the grids of two chunk sizes may have different axes.
// Between measurements time is linear along every axis, which fits better than logarithms
// (design: accuracy data of LLMServingSim 2.0's profiler).
//
//   const AttentionTable table(measured);
//   const double seconds = table.Seconds({.chunk = 512, .history = 0, .decodes = 64, .context =
//   900});
//
// Beyond the measured range the nearest edge answers; Clamp says where that is. Immutable.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/compute/profile/profile_tables.h"

namespace tokensim {

struct AttentionPoint {
  double chunk = 0;    // new tokens of the prompt; 0: none
  double history = 0;  // of the prompt, already in the KV cache
  double decodes = 0;  // sequences
  double context = 0;  // tokens that each of them attends to
};

class AttentionTable {
 public:
  // Needs a measurement with decodes only, and for every chunk size one of the chunk alone: see
  // CheckProfile.
  explicit AttentionTable(const AttentionTimesTable& measured);

  [[nodiscard]] double Seconds(const AttentionPoint& point) const;
  // Whether chunks were measured beside decodes. Else their times are to be added.
  [[nodiscard]] bool mixes() const { return mixes_; }
  // The nearest point that was measured.
  [[nodiscard]] AttentionPoint Clamp(AttentionPoint point) const;

 private:
  // The measurements of one chunk size. Cells that were not measured lie between those that were.
  struct Slab {
    double chunk = 0;
    std::vector<double> history;
    std::vector<double> decodes;
    std::vector<double> context;
    std::vector<float> seconds;  // history, decodes, context; the last fastest

    [[nodiscard]] double Seconds(const AttentionPoint& point) const;
  };
  struct Rows;

  [[nodiscard]] static Slab MakeSlab(const Rows& rows);
  // The slab of a chunk size, or the one before it.
  [[nodiscard]] size_t SlabBelow(double chunk) const;

  Slab decode_only_;
  std::vector<Slab> slabs_;  // of chunks > 0, ascending
  bool mixes_ = false;
};

}  // namespace tokensim
