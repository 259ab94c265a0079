// A worker at random: what a router without any state does, and the baseline of power_of_two.
#include "engine/base/rng.h"
#include "engine/policy/global/global_scheduler.h"

namespace tokensim {
namespace {

class Random final : public GlobalScheduler {
 public:
  explicit Random(const GlobalSchedulerContext& context) : rng_(context.seed, context.stream) {}

  int32_t Dispatch(const DispatchView& view) override {
    return view.candidates[rng_.Below(view.candidates.size())];
  }

 private:
  RngStream rng_;
};

}  // namespace

extern constinit const GlobalSchedulerEntry kRandomRouter = {
    {.name = "random", .description = "any worker, all equally likely"},
    {},
    [](const ParameterValues& /*values*/) -> GlobalSchedulerFactory::Maker {
      return
          [](const GlobalSchedulerContext& context) { return std::make_unique<Random>(context); };
    }};

}  // namespace tokensim
