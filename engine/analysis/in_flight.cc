#include "engine/analysis/in_flight.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tokensim::accuracy {

namespace {

constexpr double kLeastShare = 0.2;

}  // namespace

std::optional<FlatTop> FindFlatTop(const MeasuredRun& run) {
  if (!run.has_last_token) return std::nullopt;
  std::vector<std::pair<SimTime, int64_t>> changes;
  for (const MeasuredRequest& request : run.requests) {
    changes.emplace_back(request.arrival, 1);
    changes.emplace_back(request.last_token, -1);
  }
  std::sort(changes.begin(), changes.end());  // ends go first: a place is free when it is taken
  FlatTop top;
  SimTime held = 0;
  int64_t now = 0;
  for (size_t i = 0; i < changes.size(); ++i) {
    now += changes[i].second;
    const SimTime duration = i + 1 < changes.size() ? changes[i + 1].first - changes[i].first : 0;
    if (now > top.in_flight) {
      top.in_flight = now;
      held = 0;
    }
    if (now == top.in_flight) held += duration;
  }
  const SimTime span = changes.back().first - changes.front().first;
  if (top.in_flight < 2 || span <= 0) return std::nullopt;
  top.share = static_cast<double>(held) / static_cast<double>(span);
  if (top.share < kLeastShare) return std::nullopt;
  return top;
}

}  // namespace tokensim::accuracy
