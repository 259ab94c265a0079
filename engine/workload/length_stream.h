// The lengths of a workload's source, one after the other, drawn in batches.
//
//   LengthStream lengths(workload.lengths, workload.trace, seed, kLengthStream);
//   const LengthDraw first = lengths.Next();
//
// Internal to engine/workload.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "engine/workload/length_source.h"

namespace tokensim {

class LengthStream {
 public:
  LengthStream(const Lengths& lengths, const std::shared_ptr<const TraceTable>& trace,
               uint64_t seed, std::string_view stream);

  LengthDraw Next() {
    if (next_ == kBatch) {
      source_->Fill(draws_);
      next_ = 0;
    }
    return draws_[next_++];
  }

 private:
  static constexpr size_t kBatch = 64;

  std::unique_ptr<LengthSource> source_;
  size_t next_ = kBatch;
  std::array<LengthDraw, kBatch> draws_;
};

}  // namespace tokensim
