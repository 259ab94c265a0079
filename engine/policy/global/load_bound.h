// The bound on a worker's outstanding requests under an affinity policy (Mirrokni, Thorup,
// Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018): with m requests outstanding
// on n workers, the next one may bring a worker to at most ceil(c (m + 1) / n), c > 1.
//
//   const int32_t bound = LoadBound(view, 2);
//   if (outstanding[worker] < bound) return worker;
//
// Some worker is always below its bound: n workers at ceil(c (m + 1) / n) would be m + 1 or more.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/parameters.h"
#include "engine/policy/global/candidates.h"

namespace tokensim {

// c, a parameter of every affinity policy.
inline constexpr char kLoadFactor[] = "affinity_load_factor";
[[nodiscard]] constexpr Parameter LoadFactorParameter() {
  return RealParameter(kLoadFactor, 2, {.above = 1, .max = 1e6},
                       "a worker whose outstanding requests exceed the mean by this factor is "
                       "passed over");
}

[[nodiscard]] inline int32_t LoadBound(const DispatchView& view, double load_factor) {
  const auto after = static_cast<double>(TotalOfCandidates(view.signals.outstanding, view) + 1);
  const double bound = std::ceil(load_factor * after / static_cast<double>(view.candidates.size()));
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  return bound < kMax ? static_cast<int32_t>(bound) : kMax;
}

}  // namespace tokensim
