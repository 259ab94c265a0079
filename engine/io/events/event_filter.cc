#include "engine/io/events/event_filter.h"

#include <algorithm>

namespace tokensim {
namespace {

// The finalizer of splitmix64: every bit of the result depends on every bit of the id.
uint64_t Hash(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

CompiledEventFilter::CompiledEventFilter(const v1::EventFilter& filter) {
  if (filter.kinds_size() > 0) kinds_ = 0;
  for (const int kind : filter.kinds()) kinds_ |= 1U << kind;
  start_ = filter.start_time_ns();
  if (filter.end_time_ns() > 0) end_ = filter.end_time_ns();
  workers_.assign(filter.workers().begin(), filter.workers().end());
  std::sort(workers_.begin(), workers_.end());
  ids_.assign(filter.requests().ids().begin(), filter.requests().ids().end());
  std::sort(ids_.begin(), ids_.end());
  const double fraction = filter.requests().sample_fraction();
  if (fraction > 0 && fraction < 1) {
    sample_below_ = std::max<uint64_t>(1, static_cast<uint64_t>(fraction * 0x1p64));
  }
  all_requests_ = ids_.empty() && sample_below_ == 0;
}

bool CompiledEventFilter::HasWorker(int32_t worker) const {
  return std::binary_search(workers_.begin(), workers_.end(), worker);
}

bool CompiledEventFilter::HasRequest(int64_t request_id) const {
  if (!ids_.empty() && !std::binary_search(ids_.begin(), ids_.end(), request_id)) return false;
  return sample_below_ == 0 || Hash(static_cast<uint64_t>(request_id)) < sample_below_;
}

}  // namespace tokensim
