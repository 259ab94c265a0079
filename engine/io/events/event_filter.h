// An EventFilter prepared for being asked about every event. Immutable.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/time.h"
#include "tokensim/v1/events.pb.h"

namespace tokensim {

class CompiledEventFilter {
 public:
  // `filter` passed CheckReplayOptions.
  explicit CompiledEventFilter(const v1::EventFilter& filter);

  [[nodiscard]] bool Passes(v1::EventKind kind, SimTime time) const {
    return (kinds_ >> kind & 1) != 0 && time >= start_ && time < end_;
  }
  [[nodiscard]] bool PassesWorker(int32_t worker) const {
    return workers_.empty() || HasWorker(worker);
  }
  [[nodiscard]] bool PassesRequest(int64_t request_id) const {
    return all_requests_ || HasRequest(request_id);
  }

 private:
  [[nodiscard]] bool HasWorker(int32_t worker) const;
  [[nodiscard]] bool HasRequest(int64_t request_id) const;

  uint32_t kinds_ = ~0U;  // bit per kind
  SimTime start_ = 0;
  SimTime end_ = kNever;
  std::vector<int32_t> workers_;  // sorted; empty: all
  bool all_requests_ = true;
  std::vector<int64_t> ids_;   // sorted; empty: all
  uint64_t sample_below_ = 0;  // bound of the request id's hash; 0: all
};

}  // namespace tokensim
