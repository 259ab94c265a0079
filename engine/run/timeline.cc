#include "engine/run/timeline.h"

#include <algorithm>

namespace tokensim {

Timeline::Timeline(int32_t max_points, bool has_store)
    : intervals_(static_cast<size_t>(max_points)),
      has_store_(has_store),
      current_end_(max_points > 0 ? width_ : 0) {}

void Timeline::Fold() {
  const size_t n = intervals_.size();
  for (size_t i = 0; i < n; ++i) {
    Integrals merged;
    for (size_t j = 2 * i; j < std::min(2 * i + 2, n); ++j) {
      merged.running += intervals_[j].running;
      merged.waiting += intervals_[j].waiting;
      merged.kv_blocks += intervals_[j].kv_blocks;
      merged.busy += intervals_[j].busy;
      merged.stored += intervals_[j].stored;
      merged.loading += intervals_[j].loading;
      merged.held += intervals_[j].held;
    }
    intervals_[i] = merged;
  }
  width_ *= 2;
  current_end_ = 0;  // forces the next span to look its interval up
}

void Timeline::AddAcross(SimTime begin, SimTime end, const Occupancy& occupancy, bool busy,
                         int64_t stored) {
  const int64_t anything = occupancy.running | occupancy.waiting | occupancy.loading |
                           occupancy.held | occupancy.kv_blocks | stored;
  if (begin >= end || intervals_.empty() || (anything == 0 && !busy)) return;
  while ((end - 1) / width_ >= static_cast<SimTime>(intervals_.size())) Fold();
  current_ = static_cast<size_t>(begin / width_);
  current_end_ = static_cast<SimTime>(current_ + 1) * width_;
  while (end > current_end_) {
    intervals_[current_].Add(occupancy, busy, stored, static_cast<double>(current_end_ - begin));
    begin = current_end_;
    current_end_ += width_;
    ++current_;
  }
  intervals_[current_].Add(occupancy, busy, stored, static_cast<double>(end - begin));
  current_begin_ = current_end_ - width_;
}

WorkerTimeline Timeline::Averages(SimTime end) const {
  WorkerTimeline timeline{.interval = width_};
  const auto any = [this](double Integrals::*series) {
    return std::any_of(intervals_.begin(), intervals_.end(),
                       [series](const Integrals& interval) { return interval.*series > 0; });
  };
  const bool any_loading = any(&Integrals::loading);
  const bool any_held = any(&Integrals::held);
  for (size_t i = 0; i < intervals_.size(); ++i) {
    const SimTime begin = static_cast<SimTime>(i) * width_;
    if (begin >= end) break;
    const double ns = static_cast<double>(std::min(width_, end - begin));
    timeline.running.push_back(intervals_[i].running / ns);
    timeline.waiting.push_back(intervals_[i].waiting / ns);
    timeline.kv_blocks_used.push_back(intervals_[i].kv_blocks / ns);
    timeline.busy.push_back(intervals_[i].busy / ns);
    if (has_store_) timeline.stored.push_back(intervals_[i].stored / ns);
    if (any_loading) timeline.loading.push_back(intervals_[i].loading / ns);
    if (any_held) timeline.held.push_back(intervals_[i].held / ns);
  }
  return timeline;
}

}  // namespace tokensim
