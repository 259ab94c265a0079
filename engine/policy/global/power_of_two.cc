// Two workers at random, and of them the one with fewer outstanding requests (Mitzenmacher, "The
// Power of Two Choices in Randomized Load Balancing", IEEE TPDS 2001): m = n requests on n workers
// give a largest load of ln ln n / ln 2 + O(1), where one random choice gives ln n / ln ln n.
#include "engine/base/rng.h"
#include "engine/policy/global/global_scheduler.h"

namespace tokensim {
namespace {

class PowerOfTwo final : public GlobalScheduler {
 public:
  explicit PowerOfTwo(const GlobalSchedulerContext& context) : rng_(context.seed, context.stream) {}

  int32_t Dispatch(const DispatchView& view) override {
    const size_t count = view.candidates.size();
    if (count == 1) return view.candidates[0];
    const size_t first = rng_.Below(count);
    size_t second = rng_.Below(count - 1);  // of the others
    if (second >= first) ++second;
    const int32_t a = view.candidates[first];
    const int32_t b = view.candidates[second];
    // A tie stays with the first draw, so that an idle cluster is used evenly.
    return Outstanding(view, b) < Outstanding(view, a) ? b : a;
  }

 private:
  static int32_t Outstanding(const DispatchView& view, int32_t worker) {
    return view.signals.outstanding[static_cast<size_t>(worker)];
  }

  RngStream rng_;
};

}  // namespace

extern constinit const GlobalSchedulerEntry kPowerOfTwoRouter = {
    {.name = "power_of_two", .description = "of two random workers the one with fewer requests"},
    {},
    [](const ParameterValues& /*values*/) -> GlobalSchedulerFactory::Maker {
      return [](const GlobalSchedulerContext& context) {
        return std::make_unique<PowerOfTwo>(context);
      };
    }};

}  // namespace tokensim
