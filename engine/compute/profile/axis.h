// A position on an ascending axis, for linear interpolation. Beyond the ends: the end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace tokensim {

struct AxisPosition {
  size_t below = 0;  // index; the next one exists when fraction > 0
  double fraction = 0;
};

// `axis` is not empty.
[[nodiscard]] inline AxisPosition Locate(const std::vector<double>& axis, double value) {
  if (value <= axis.front()) return {0, 0};
  if (value >= axis.back()) return {axis.size() - 1, 0};
  const auto above = std::upper_bound(axis.begin(), axis.end(), value);
  const auto i = static_cast<size_t>(above - axis.begin()) - 1;
  return {i, (value - axis[i]) / (axis[i + 1] - axis[i])};
}

}  // namespace tokensim
