// By a table of the inverse distribution function, linear between its points.
#include "engine/workload/quantile_sampler.h"

namespace tokensim {
namespace {

class Quantiles final : public LengthSampler {
 public:
  explicit Quantiles(const QuantileTable& table) : sampler_(table) {}
  [[nodiscard]] int32_t Draw(RngStream& rng) const override { return sampler_.Draw(rng); }

 private:
  QuantileSampler sampler_;
};

}  // namespace

extern constinit const LengthSamplerEntry kQuantileLength = {
    {.name = "quantiles", .description = "by a table of `probabilities` and `values`"},
    {},
    [](const ParameterValues& /*values*/) -> LengthSamplerFactory::Maker {
      return [](const LengthSamplerContext& context) {
        return std::make_unique<Quantiles>(context.table);
      };
    }};

}  // namespace tokensim
