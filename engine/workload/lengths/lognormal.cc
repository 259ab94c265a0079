// round(median * exp(sigma * Z)) clamped to [min, max].
#include "engine/base/math.h"
#include "engine/workload/lengths/limits.h"

namespace tokensim {
namespace {

class LogNormal final : public LengthSampler {
 public:
  LogNormal(double median, double sigma, LengthLimits limits)
      : median_(median), sigma_(sigma), limits_(limits) {}

  [[nodiscard]] int32_t Draw(RngStream& rng) const override {
    return RoundLength(median_ * math::Exp(sigma_ * rng.Normal()), limits_.min, limits_.max);
  }

 private:
  double median_;
  double sigma_;
  LengthLimits limits_;
};

constexpr char kMedian[] = "median";
constexpr char kSigma[] = "sigma";
constexpr Parameter kParameters[] = {
    Required(
        RealParameter(kMedian, 0, {.above = 0, .max = kMaxTokens}, "the median length", "tokens")),
    Required(RealParameter(kSigma, 0, {.max = 100}, "standard deviation of the logarithm")),
    kMinParameter, kUsualMaxParameter};

}  // namespace

extern constinit const LengthSamplerEntry kLogNormalLength = {
    {.name = "lognormal", .description = "log-normal, clamped", .parameters = kParameters},
    {.shortest = ShortestOfLimits, .complete = CompleteLimits},
    [](const ParameterValues& values) -> LengthSamplerFactory::Maker {
      return [median = values.real(kMedian), sigma = values.real(kSigma),
              limits = LengthLimits(values)](const LengthSamplerContext&) {
        return std::make_unique<LogNormal>(median, sigma, limits);
      };
    },
    CheckLimits};

}  // namespace tokensim
