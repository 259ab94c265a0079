// The times of a workload's arrival process, one after the other, drawn in batches.
//
//   ArrivalTimes times(workload, seed, 1'000);
//   const SimTime first = times.Next();
//
// Internal to engine/workload.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/base/invariant.h"
#include "engine/workload/arrival_process.h"

namespace tokensim {

class ArrivalTimes {
 public:
  // `most`: how many may be asked for; of a closed loop as many as there are users.
  ArrivalTimes(const Workload& workload, uint64_t seed, int64_t most,
               std::span<const int64_t> rows = {})
      : left_(most) {
    TOKENSIM_INVARIANT(workload.arrivals.process != nullptr, "a workload without arrivals");
    process_ = workload.arrivals.process->Make({workload, seed, rows});
  }

  SimTime Next() {
    if (next_ == filled_) Refill();
    return times_[next_++];
  }

 private:
  void Refill() {
    filled_ = static_cast<size_t>(std::min<int64_t>(left_, kBatch));
    TOKENSIM_INVARIANT(filled_ > 0, "more arrivals than there are");
    left_ -= static_cast<int64_t>(filled_);
    next_ = 0;
    process_->Fill(std::span(times_).first(filled_));
  }

  static constexpr int64_t kBatch = 64;

  std::unique_ptr<ArrivalProcess> process_;
  int64_t left_;  // to be drawn
  size_t next_ = 0;
  size_t filled_ = 0;
  std::array<SimTime, kBatch> times_{};
};

}  // namespace tokensim
