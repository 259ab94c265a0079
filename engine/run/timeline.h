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
  // `max_points` 0: nobody wants one, and nothing is kept. `has_store`: there is a tier below.
  explicit Timeline(int32_t max_points, bool has_store = false);

  // What the worker had over [begin, end), in which it was computing or not, and what the tier
  // below held. Nothing at all leaves the resolution as it is.
  void Add(SimTime begin, SimTime end, const Occupancy& occupancy, bool busy, int64_t stored) {
    if (begin >= current_begin_ && end <= current_end_) {
      intervals_[current_].Add(occupancy, busy, stored, static_cast<double>(end - begin));
    } else {
      AddAcross(begin, end, occupancy, busy, stored);
    }
  }

  // Averages over the intervals up to `end`; the last interval may be partial.
  [[nodiscard]] WorkerTimeline Averages(SimTime end) const;

 private:
  struct Integrals {  // value x nanoseconds
    double running = 0;
    double waiting = 0;
    double kv_blocks = 0;
    double busy = 0;
    double stored = 0;
    double loading = 0;
    double held = 0;

    void Add(const Occupancy& now, bool is_busy, int64_t stored_now, double ns) {
      running += now.running * ns;
      kv_blocks += static_cast<double>(now.kv_blocks) * ns;
      if (is_busy) busy += ns;
      if (now.waiting > 0) waiting += now.waiting * ns;
      if ((now.loading | now.held | stored_now) == 0) return;
      loading += now.loading * ns;
      held += now.held * ns;
      stored += static_cast<double>(stored_now) * ns;
    }
  };

  // The same for any span.
  void AddAcross(SimTime begin, SimTime end, const Occupancy& occupancy, bool busy, int64_t stored);
  void Fold();

  SimTime width_ = 1'000'000;
  std::vector<Integrals> intervals_;
  bool has_store_;
  // The interval that the last span ended in: the next one mostly lies in it whole, and need not
  // divide to find it.
  size_t current_ = 0;
  SimTime current_begin_ = 0;
  SimTime current_end_ = width_;
};

}  // namespace tokensim
