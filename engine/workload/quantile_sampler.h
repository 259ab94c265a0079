// Draws from a quantile table by inversion. On an evenly spaced grid of probabilities the interval
// is computed; otherwise it is searched for.
//
// Internal to engine/workload.
#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "engine/workload/length_source.h"

namespace tokensim {

class QuantileSampler {
 public:
  explicit QuantileSampler(const QuantileTable& table);

  int32_t Draw(RngStream& rng) const {
    const double u = rng.Uniform();
    const double value = grid_scale_ > 0 ? AtGrid(u * grid_scale_) : AtProbability(u);
    return RoundLength(value, 1, std::numeric_limits<int32_t>::max());
  }

 private:
  // Linear between points floor(x) and floor(x) + 1.
  [[nodiscard]] double AtGrid(double x) const {
    const auto i = static_cast<size_t>(x);
    return values_[i] + (x - static_cast<double>(i)) * (values_[i + 1] - values_[i]);
  }
  [[nodiscard]] double AtProbability(double u) const;

  std::vector<double> probabilities_;  // empty on an evenly spaced grid
  std::vector<double> values_;         // the last one twice
  double grid_scale_ = 0;              // intervals of an evenly spaced grid, else 0
};

}  // namespace tokensim
