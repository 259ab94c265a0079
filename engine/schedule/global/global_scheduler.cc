#include "engine/schedule/global/global_scheduler.h"

#include <algorithm>

namespace tokensim {
namespace {

class RoundRobin final : public GlobalScheduler {
 public:
  int32_t Dispatch(const DispatchView& view) override {
    const int32_t worker = next_;
    next_ = next_ + 1 == static_cast<int32_t>(view.outstanding.size()) ? 0 : next_ + 1;
    return worker;
  }

 private:
  int32_t next_ = 0;
};

class LeastRequests final : public GlobalScheduler {
 public:
  int32_t Dispatch(const DispatchView& view) override {
    // Two passes that vectorise, rather than one that does not.
    int32_t least = view.outstanding[0];
    for (const int32_t count : view.outstanding) least = std::min(least, count);
    const auto it = std::find(view.outstanding.begin(), view.outstanding.end(), least);
    return static_cast<int32_t>(it - view.outstanding.begin());
  }
};

}  // namespace

const std::vector<GlobalPolicyInfo>& GlobalSchedulers() {
  static const std::vector<GlobalPolicyInfo> kSchedulers = {
      {GlobalPolicy::kRoundRobin, "round_robin", "each worker in turn"},
      {GlobalPolicy::kLeastRequests, "least_requests",
       "the worker with the fewest requests sent there and not finished; ties: the first"},
  };
  return kSchedulers;
}

std::unique_ptr<GlobalScheduler> MakeGlobalScheduler(const GlobalSchedulerConfig& config) {
  if (config.policy == GlobalPolicy::kLeastRequests) return std::make_unique<LeastRequests>();
  return std::make_unique<RoundRobin>();
}

}  // namespace tokensim
