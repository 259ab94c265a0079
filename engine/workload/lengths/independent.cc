// Input and output drawn one after the other, from a distribution each.
#include "engine/workload/length_registry.h"

namespace tokensim {
namespace {

std::unique_ptr<LengthSampler> MakeSampler(const LengthDistribution& distribution) {
  const LengthSamplerContext context{distribution.table};
  if (distribution.sampler != nullptr) return distribution.sampler->Make(context);
  return LengthDistributions().Make(kDefaultLengthDistribution)->Make(context);
}

class Independent final : public LengthSource {
 public:
  explicit Independent(const LengthSourceContext& context)
      : rng_(context.seed, context.stream),
        input_(MakeSampler(context.lengths.input)),
        output_(MakeSampler(context.lengths.output)) {}

  void Fill(std::span<LengthDraw> draws) override {
    for (LengthDraw& draw : draws) {
      draw.input = input_->Draw(rng_);
      draw.output = output_->Draw(rng_);
    }
  }

 private:
  RngStream rng_;
  std::unique_ptr<LengthSampler> input_;
  std::unique_ptr<LengthSampler> output_;
};

}  // namespace

extern constinit const LengthSourceEntry kIndependentLengths = {
    {.name = "independent", .description = "`input` and `output`, a distribution each"},
    {},
    [](const ParameterValues& /*values*/) -> LengthSourceFactory::Maker {
      return
          [](const LengthSourceContext& context) { return std::make_unique<Independent>(context); };
    }};

}  // namespace tokensim
