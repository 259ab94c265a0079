// Whole numbers from min to max, both included, equally likely.
#include "engine/workload/lengths/limits.h"

namespace tokensim {
namespace {

class Uniform final : public LengthSampler {
 public:
  Uniform(int32_t min, int32_t max)
      : min_(min), count_(static_cast<uint64_t>(int64_t{max} - min + 1)) {}

  [[nodiscard]] int32_t Draw(RngStream& rng) const override {
    return min_ + static_cast<int32_t>(rng.Below(count_));
  }

 private:
  int32_t min_;
  uint64_t count_;
};

constexpr Parameter kParameters[] = {Required(kMinParameter), Required(kMaxParameter)};

}  // namespace

extern constinit const LengthSamplerEntry kUniformLength = {
    {.name = "uniform",
     .description = "every length of a range equally likely",
     .parameters = kParameters},
    {.shortest = ShortestOfLimits},
    [](const ParameterValues& values) -> LengthSamplerFactory::Maker {
      return [limits = LengthLimits(values)](const LengthSamplerContext&) {
        return std::make_unique<Uniform>(limits.min, limits.max);
      };
    },
    CheckLimits};

}  // namespace tokensim
