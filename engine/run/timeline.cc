#include "engine/run/timeline.h"

#include <algorithm>

namespace tokensim {

Timeline::Timeline(int32_t max_points) : intervals_(static_cast<size_t>(max_points)) {}

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
    }
    intervals_[i] = merged;
  }
  width_ *= 2;
  current_end_ = 0;  // forces the next iteration to look its interval up
}

template <typename Add>
void Timeline::Spread(SimTime begin, SimTime end, const Add& add) {
  if (begin >= end) return;
  while ((end - 1) / width_ >= static_cast<SimTime>(intervals_.size())) Fold();
  size_t i = static_cast<size_t>(begin / width_);
  SimTime boundary = static_cast<SimTime>(i + 1) * width_;
  while (end > boundary) {
    add(intervals_[i], static_cast<double>(boundary - begin));
    begin = boundary;
    boundary += width_;
    ++i;
  }
  add(intervals_[i], static_cast<double>(end - begin));
}

void Timeline::SpreadIteration(SimTime begin, SimTime end, double running, double kv_blocks) {
  Spread(begin, end, [&](Integrals& interval, double ns) { interval.Add(running, kv_blocks, ns); });
  current_ = static_cast<size_t>((end - 1) / width_);
  current_begin_ = static_cast<SimTime>(current_) * width_;
  current_end_ = current_begin_ + width_;
}

void Timeline::AddWaiting(SimTime begin, SimTime end, double count) {
  Spread(begin, end, [&](Integrals& interval, double ns) { interval.waiting += count * ns; });
}

void Timeline::AddStored(SimTime begin, SimTime end, double amount) {
  has_stored_ = true;
  if (amount == 0) return;  // a tier that stays empty leaves the other figures as they are
  Spread(begin, end, [&](Integrals& interval, double ns) { interval.stored += amount * ns; });
}

WorkerTimeline Timeline::Averages(SimTime end) const {
  WorkerTimeline timeline{.interval = width_};
  for (size_t i = 0; i < intervals_.size(); ++i) {
    const SimTime begin = static_cast<SimTime>(i) * width_;
    if (begin >= end) break;
    const double ns = static_cast<double>(std::min(width_, end - begin));
    timeline.running.push_back(intervals_[i].running / ns);
    timeline.waiting.push_back(intervals_[i].waiting / ns);
    timeline.kv_blocks_used.push_back(intervals_[i].kv_blocks / ns);
    timeline.busy.push_back(intervals_[i].busy / ns);
    if (has_stored_) timeline.stored.push_back(intervals_[i].stored / ns);
  }
  return timeline;
}

}  // namespace tokensim
