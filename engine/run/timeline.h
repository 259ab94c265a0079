// A worker's figures over time, in a bounded number of intervals.
//
// Values that hold over a span of time are added; each interval keeps their time integral. When a
// span reaches past the last interval, neighbours are merged and the width doubles, so any run fits
// in the given number of points, at a resolution of at least half of what they allow.
#pragma once

#include <vector>

#include "engine/base/time.h"
#include "engine/run/results.h"

namespace tokensim {

class Timeline {
 public:
  explicit Timeline(int32_t max_points);

  // Figures of an iteration that ran over [begin, end).
  void AddIteration(SimTime begin, SimTime end, double running, double kv_blocks) {
    if (begin >= current_begin_ && end <= current_end_) {
      intervals_[current_].Add(running, kv_blocks, static_cast<double>(end - begin));
    } else {
      SpreadIteration(begin, end, running, kv_blocks);
    }
  }
  // `count` requests queued over [begin, end).
  void AddWaiting(SimTime begin, SimTime end, double count);
  // `amount` held by the tier below over [begin, end).
  void AddStored(SimTime begin, SimTime end, double amount);

  // Averages over the intervals up to `end`; the last interval may be partial.
  [[nodiscard]] WorkerTimeline Averages(SimTime end) const;

 private:
  struct Integrals {  // value x nanoseconds
    double running = 0;
    double waiting = 0;
    double kv_blocks = 0;
    double busy = 0;
    double stored = 0;

    void Add(double running_now, double kv_blocks_now, double ns) {
      running += running_now * ns;
      kv_blocks += kv_blocks_now * ns;
      busy += ns;
    }
  };

  // Calls add(integrals, nanoseconds) for every interval that [begin, end) overlaps.
  template <typename Add>
  void Spread(SimTime begin, SimTime end, const Add& add);
  void SpreadIteration(SimTime begin, SimTime end, double running, double kv_blocks);
  void Fold();

  SimTime width_ = 1'000'000;
  std::vector<Integrals> intervals_;
  bool has_stored_ = false;
  // The interval that the last iteration ended in: the next one mostly lies in it whole, and need
  // not divide to find it.
  size_t current_ = 0;
  SimTime current_begin_ = 0;
  SimTime current_end_ = width_;
};

}  // namespace tokensim
