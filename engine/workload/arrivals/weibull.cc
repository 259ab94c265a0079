// Weibull gaps, by inversion: scale (-ln U)^(1/shape), with mean scale Gamma(1 + 1/shape).
#include "engine/workload/arrivals/weibull.h"

#include "engine/base/math.h"
#include "engine/base/rng.h"
#include "engine/workload/arrivals/rate.h"

namespace tokensim {
namespace {

class WeibullGaps final : public NextByNext<WeibullGaps> {
 public:
  WeibullGaps(double rate, double cv, uint64_t seed)
      : rng_(seed, kArrivalStream),
        rate_(rate),
        inverse_shape_(1 / WeibullShape(cv)),
        scale_(1 / (rate * math::Gamma(1 + inverse_shape_))) {}

  SimTime Next() {
    const double power = math::Exp(inverse_shape_ * math::Log(rng_.Exponential(1)));
    now_ = SaturatingAdd(now_, FromSeconds(scale_ * power));
    return now_;
  }
  [[nodiscard]] double ExpectedWithin(double seconds) const override { return rate_ * seconds; }

 private:
  RngStream rng_;
  double rate_;
  double inverse_shape_;
  double scale_;
  SimTime now_ = 0;
};

constexpr Parameter kParameters[] = {kRateParameter, VariationParameter(0.01)};

}  // namespace

// With x = 1/shape, the mean is Gamma(1 + x) and the mean square Gamma(1 + 2x), in units of the
// scale: 1 + cv^2 = Gamma(1 + 2x) / Gamma(1 + x)^2, which increases with x. Solved by bisection.
double WeibullShape(double cv) {
  const double wanted = 1 + cv * cv;
  double low = 1e-4;
  double high = 16;
  for (int i = 0; i < 100; ++i) {
    const double x = 0.5 * (low + high);
    const double mean = math::Gamma(1 + x);
    (math::Gamma(1 + 2 * x) / (mean * mean) < wanted ? low : high) = x;
  }
  return 2 / (low + high);
}

extern constinit const ArrivalEntry kWeibullArrivals = {
    {.name = "weibull",
     .description = "Weibull-distributed gaps of mean 1/rate",
     .parameters = kParameters},
    {.check = CheckRate},
    [](const ParameterValues& values) -> ArrivalFactory::Maker {
      return
          [rate = values.real(kRate), cv = values.real(kVariation)](const ArrivalContext& context) {
            return std::make_unique<WeibullGaps>(rate, cv, context.seed);
          };
    }};

}  // namespace tokensim
