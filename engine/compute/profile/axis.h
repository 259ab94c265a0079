// A position on an ascending axis, for linear interpolation. Beyond the ends: the end.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "engine/base/invariant.h"

namespace tokensim {

struct AxisPosition {
  size_t below = 0;  // index; the next one exists when fraction > 0
  double fraction = 0;
};

// `axis` is not empty, `value` is finite.
[[nodiscard]] inline AxisPosition Locate(const std::vector<double>& axis, double value) {
  TOKENSIM_INVARIANT(std::isfinite(value), "a position that is no number");
  if (value <= axis.front()) return {0, 0};
  if (value >= axis.back()) return {axis.size() - 1, 0};
  const auto above = std::upper_bound(axis.begin(), axis.end(), value);
  const auto i = static_cast<size_t>(above - axis.begin()) - 1;
  return {i, (value - axis[i]) / (axis[i + 1] - axis[i])};
}

}  // namespace tokensim
