#include "engine/workload/quantile_sampler.h"

#include <cmath>

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

}  // namespace tokensim
