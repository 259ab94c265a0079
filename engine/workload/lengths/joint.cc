// An input distribution and, for each range of inputs, the output distribution met there.
#include <bit>
#include <limits>
#include <vector>

#include "engine/workload/quantile_sampler.h"

namespace tokensim {
namespace {

class Joint final : public LengthSource {
 public:
  explicit Joint(const LengthSourceContext& context)
      : rng_(context.seed, context.stream), input_(context.lengths.input.table) {
    TOKENSIM_INVARIANT(!context.lengths.outputs.empty(), "joint lengths without bins");
    for (const OutputBin& bin : context.lengths.outputs) {
      upper_.push_back(bin.max_input);
      outputs_.emplace_back(bin.output);
    }
    upper_.back() = std::numeric_limits<int32_t>::max();
    upper_.resize(std::bit_ceil(upper_.size()), std::numeric_limits<int32_t>::max());
  }

  void Fill(std::span<LengthDraw> draws) override {
    for (LengthDraw& draw : draws) {
      draw.input = input_.Draw(rng_);
      draw.output = outputs_[BinOf(draw.input)].Draw(rng_);
    }
  }

 private:
  // Branch-free binary search: upper_.size() is a power of two, padded with the largest integer.
  [[nodiscard]] size_t BinOf(int32_t input) const {
    size_t bin = 0;
    for (size_t step = upper_.size() / 2; step > 0; step /= 2) {
      bin += upper_[bin + step - 1] < input ? step : 0;
    }
    return bin;
  }

  RngStream rng_;
  QuantileSampler input_;
  std::vector<int32_t> upper_;  // max_input of every bin; the last covers every input
  std::vector<QuantileSampler> outputs_;
};

}  // namespace

extern constinit const LengthSourceEntry kJointLengths = {
    {.name = "joint", .description = "`input` by a table, the output by that of its bin"},
    {},
    [](const ParameterValues& /*values*/) -> LengthSourceFactory::Maker {
      return [](const LengthSourceContext& context) { return std::make_unique<Joint>(context); };
    }};

}  // namespace tokensim
