// A worker at random: what a router without any state does, and the baseline of power_of_two.
#include "engine/base/rng.h"
#include "engine/policy/global/schedulers.h"

namespace tokensim {
namespace {

class Random final : public GlobalScheduler {
 public:
  explicit Random(const GlobalSchedulerConfig& config) : rng_(config.seed, config.stream) {}

  int32_t Dispatch(const DispatchView& view) override {
    return view.candidates[rng_.Below(view.candidates.size())];
  }

 private:
  RngStream rng_;
};

}  // namespace

GlobalSchedulerPtr MakeRandom(const GlobalSchedulerConfig& config) {
  return std::make_unique<Random>(config);
}

}  // namespace tokensim
