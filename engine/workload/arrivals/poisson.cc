// Independent exponential gaps.
#include "engine/base/rng.h"
#include "engine/workload/arrivals/rate.h"

namespace tokensim {
namespace {

class Poisson final : public NextByNext<Poisson> {
 public:
  Poisson(double rate, uint64_t seed) : rng_(seed, kArrivalStream), rate_(rate) {}

  SimTime Next() {
    now_ = SaturatingAdd(now_, FromSeconds(rng_.Exponential(rate_)));
    return now_;
  }
  [[nodiscard]] double ExpectedWithin(double seconds) const override { return rate_ * seconds; }

 private:
  RngStream rng_;
  double rate_;
  SimTime now_ = 0;
};

constexpr Parameter kParameters[] = {kRateParameter};

}  // namespace

extern constinit const ArrivalEntry kPoissonArrivals = {
    {.name = "poisson",
     .description = "exponential gaps of mean 1/rate",
     .parameters = kParameters},
    {.check = CheckRate},
    [](const ParameterValues& values) -> ArrivalFactory::Maker {
      return [rate = values.real(kRate)](const ArrivalContext& context) {
        return std::make_unique<Poisson>(rate, context.seed);
      };
    }};

}  // namespace tokensim
