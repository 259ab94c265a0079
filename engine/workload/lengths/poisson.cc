// Poisson-distributed, clamped to [min, max].
#include "engine/workload/poisson.h"

#include "engine/workload/lengths/limits.h"

namespace tokensim {
namespace {

class Poisson final : public LengthSampler {
 public:
  Poisson(double mean, LengthLimits limits) : sampler_(mean), limits_(limits) {}

  [[nodiscard]] int32_t Draw(RngStream& rng) const override {
    return RoundLength(sampler_.Draw(rng), limits_.min, limits_.max);
  }

 private:
  PoissonSampler sampler_;
  LengthLimits limits_;
};

constexpr char kMean[] = "mean";
constexpr Parameter kParameters[] = {
    Required(RealParameter(kMean, 0, {.above = 0, .max = kMaxTokens}, "the mean length", "tokens")),
    kMinParameter, kUsualMaxParameter};

}  // namespace

extern constinit const LengthSamplerEntry kPoissonLength = {
    {.name = "poisson", .description = "Poisson-distributed, clamped", .parameters = kParameters},
    {.shortest = ShortestOfLimits, .complete = CompleteLimits},
    [](const ParameterValues& values) -> LengthSamplerFactory::Maker {
      return [mean = values.real(kMean), limits = LengthLimits(values)](
                 const LengthSamplerContext&) { return std::make_unique<Poisson>(mean, limits); };
    },
    CheckLimits};

}  // namespace tokensim
