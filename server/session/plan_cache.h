// The compiled plans of simulations, by uid.
//
// Runs and replays of one simulation share one plan. A plan nobody uses is dropped, except the few
// used last; it is compiled again from the stored, resolved spec when needed. Thread-safe; Get may
// compute for long, without holding a lock.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "engine/run/plan.h"
#include "server/store/store.h"

namespace tokensim {

class PlanCache {
 public:
  explicit PlanCache(size_t kept = 8) : kept_(kept) {}

  void Put(const std::string& uid, std::shared_ptr<const Plan> plan);
  // INTERNAL when the stored spec does not compile any more.
  absl::StatusOr<std::shared_ptr<const Plan>> Get(const SimulationRecord& record);

 private:
  const size_t kept_;
  std::mutex mutex_;
  std::deque<std::shared_ptr<const Plan>> recent_;          // guarded by mutex_
  std::map<std::string, std::weak_ptr<const Plan>> plans_;  // guarded by mutex_
};

}  // namespace tokensim
