#include "engine/schedule/global/global_scheduler.h"

namespace tokensim {
namespace {

class RoundRobin final : public GlobalScheduler {
 public:
  int32_t Dispatch(const DispatchView& view) override {
    return view.candidates[next_++ % view.candidates.size()];
  }

 private:
  uint64_t next_ = 0;
};

class LeastRequests final : public GlobalScheduler {
 public:
  int32_t Dispatch(const DispatchView& view) override {
    int32_t best = view.candidates[0];
    for (const int32_t worker : view.candidates) {
      if (view.signals.outstanding[static_cast<size_t>(worker)] <
          view.signals.outstanding[static_cast<size_t>(best)]) {
        best = worker;
      }
    }
    return best;
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
