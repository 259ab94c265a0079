#include "engine/workload/lengths.h"

#include <bit>

namespace tokensim {
namespace {

bool EvenlySpaced(const std::vector<double>& probabilities) {
  const auto intervals = static_cast<double>(probabilities.size() - 1);
  for (size_t i = 0; i < probabilities.size(); ++i) {
    if (std::abs(probabilities[i] - static_cast<double>(i) / intervals) > 1e-9) return false;
  }
  return true;
}

}  // namespace

QuantileSampler::QuantileSampler(const QuantileTable& table) : values_(table.values) {
  TOKENSIM_INVARIANT(table.values.size() >= 2, "a quantile table needs two points");
  TOKENSIM_INVARIANT(table.values.size() == table.probabilities.size(), "ragged quantile table");
  if (EvenlySpaced(table.probabilities)) {
    grid_scale_ = static_cast<double>(values_.size() - 1);
  } else {
    probabilities_ = table.probabilities;
  }
  // A product rounded up to the last point then still has a right neighbour.
  values_.push_back(values_.back());
}

double QuantileSampler::AtProbability(double u) const {
  // The first point above u; u < 1 is the last point, so there always is one.
  const auto above = std::upper_bound(probabilities_.begin() + 1, probabilities_.end() - 1, u);
  const auto i = static_cast<size_t>(above - probabilities_.begin()) - 1;
  const double share = (u - probabilities_[i]) / (probabilities_[i + 1] - probabilities_[i]);
  return values_[i] + share * (values_[i + 1] - values_[i]);
}

LengthSampler::LengthSampler(const LengthDistribution& distribution) {
  std::visit([this](const auto& config) { Set(config); }, distribution);
}

void LengthSampler::Set(const FixedLength& fixed) {
  kind_ = Kind::kFixed;
  min_ = fixed.tokens;
}

void LengthSampler::Set(const UniformLength& uniform) {
  TOKENSIM_INVARIANT(uniform.min <= uniform.max, "empty range of lengths");
  kind_ = Kind::kUniform;
  min_ = uniform.min;
  uniform_count_ = static_cast<uint64_t>(int64_t{uniform.max} - uniform.min + 1);
}

void LengthSampler::Set(const LogNormalLength& lognormal) {
  TOKENSIM_INVARIANT(lognormal.min <= lognormal.max, "empty range of lengths");
  kind_ = Kind::kLogNormal;
  min_ = lognormal.min;
  max_ = lognormal.max;
  median_ = lognormal.median;
  sigma_ = lognormal.sigma;
}

void LengthSampler::Set(const QuantileTable& table) {
  kind_ = Kind::kQuantiles;
  quantiles_.emplace_back(table);
}

void LengthSampler::Set(const PoissonLength& poisson) {
  TOKENSIM_INVARIANT(poisson.min <= poisson.max, "empty range of lengths");
  kind_ = Kind::kPoisson;
  min_ = poisson.min;
  max_ = poisson.max;
  poisson_.emplace(poisson.mean);
}

JointLengthSource::JointLengthSource(const JointLengths& config, uint64_t seed,
                                     std::string_view stream)
    : rng_(seed, stream), input_(config.input) {
  TOKENSIM_INVARIANT(!config.bins.empty(), "joint lengths without bins");
  for (const JointLengths::Bin& bin : config.bins) {
    upper_.push_back(bin.max_input);
    outputs_.emplace_back(bin.output);
  }
  upper_.back() = std::numeric_limits<int32_t>::max();
  upper_.resize(std::bit_ceil(upper_.size()), std::numeric_limits<int32_t>::max());
}

}  // namespace tokensim
