// Each worker in turn, whatever its load.
#include <algorithm>

#include "engine/policy/global/candidates.h"

namespace tokensim {
namespace {

// The turn is that of the first candidate after the last one chosen: a worker that leaves or comes
// back does not move the turns of the others.
class RoundRobin final : public GlobalScheduler {
 public:
  int32_t Dispatch(const DispatchView& view) override {
    const auto& workers = view.candidates;
    if (AllWorkers(view)) {
      last_ = last_ + 1 < static_cast<int32_t>(workers.size()) ? last_ + 1 : 0;
    } else {
      const auto next = std::upper_bound(workers.begin(), workers.end(), last_);
      last_ = next != workers.end() ? *next : workers[0];
    }
    return last_;
  }

 private:
  int32_t last_ = -1;
};

}  // namespace

extern constinit const GlobalSchedulerEntry kRoundRobinRouter = {
    {.name = "round_robin", .description = "each worker in turn"},
    {},
    [](const ParameterValues& /*values*/) -> GlobalSchedulerFactory::Maker {
      return [](const GlobalSchedulerContext&) { return std::make_unique<RoundRobin>(); };
    }};

}  // namespace tokensim
