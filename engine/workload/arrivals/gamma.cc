// Gamma gaps of mean 1/rate and coefficient of variation cv: shape 1/cv^2, scale cv^2/rate.
//
// Sampled by squeeze-free rejection from a cubed normal (Marsaglia, Tsang, "A Simple Method for
// Generating Gamma Variables", ACM TOMS 2000); a shape below 1 as Gamma(shape + 1) U^(1/shape).
#include <algorithm>
#include <cmath>

#include "engine/base/math.h"
#include "engine/base/rng.h"
#include "engine/workload/arrivals/rate.h"

namespace tokensim {
namespace {

class GammaGaps final : public NextByNext<GammaGaps> {
 public:
  GammaGaps(double rate, double cv, uint64_t seed)
      : rng_(seed, kArrivalStream),
        rate_(rate),
        // Below a coefficient of 3e-8 gaps are equal to the last bit anyway.
        shape_(std::min(1 / (cv * cv), 1e15)),
        scale_(1 / (rate * shape_)),
        d_((shape_ < 1 ? shape_ + 1 : shape_) - 1.0 / 3),
        c_(1 / std::sqrt(9 * d_)) {}

  SimTime Next() {
    now_ = SaturatingAdd(now_, FromSeconds(scale_ * DrawStandard()));
    return now_;
  }
  [[nodiscard]] double ExpectedWithin(double seconds) const override { return rate_ * seconds; }

 private:
  double DrawStandard() {
    const double boost = shape_ < 1 ? math::Exp(math::Log(rng_.UniformPositive()) / shape_) : 1;
    while (true) {
      const double x = rng_.Normal();
      const double root = 1 + c_ * x;
      if (root <= 0) continue;
      const double v = root * root * root;
      if (math::Log(rng_.UniformPositive()) < 0.5 * x * x + d_ * (1 - v + math::Log(v))) {
        return boost * d_ * v;
      }
    }
  }

  RngStream rng_;
  double rate_;
  double shape_;
  double scale_;
  double d_;  // (shape, or shape + 1 below 1) - 1/3
  double c_;  // 1 / sqrt(9 d)
  SimTime now_ = 0;
};

constexpr Parameter kParameters[] = {kRateParameter, VariationParameter(0)};

}  // namespace

extern constinit const ArrivalEntry kGammaArrivals = {
    {.name = "gamma",
     .description = "gamma-distributed gaps of mean 1/rate",
     .parameters = kParameters},
    {.check = CheckRate},
    [](const ParameterValues& values) -> ArrivalFactory::Maker {
      return
          [rate = values.real(kRate), cv = values.real(kVariation)](const ArrivalContext& context) {
            return std::make_unique<GammaGaps>(rate, cv, context.seed);
          };
    }};

}  // namespace tokensim
