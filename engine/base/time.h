// Simulated time.
//
// The engine counts int64 nanoseconds from the start of the run. Models that compute in floating
// point return seconds as double and are rounded once, at the boundary, by FromSeconds.
//
//   SimTime end = now + FromSeconds(compute.IterationSeconds(shape));
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace tokensim {

// Nanoseconds since the start of the run. 292 years fit.
using SimTime = int64_t;

inline constexpr SimTime kNanosPerSecond = 1'000'000'000;
// The longest that a specification may ask for: 126 years; SimTime holds the sum of two.
inline constexpr double kMaxSimulatedSeconds = 4e9;
inline constexpr SimTime kNever = std::numeric_limits<SimTime>::max();
// A stamp that has not happened.
inline constexpr SimTime kUnset = -1;

inline constexpr double ToSeconds(SimTime t) { return static_cast<double>(t) * 1e-9; }

// Rounds to the nearest nanosecond; saturates at +-9.2e18 ns. NaN gives 0.
inline SimTime FromSeconds(double seconds) {
  const double ns = seconds * 1e9;
  if (!(ns > -9.2e18)) return std::isnan(ns) ? 0 : std::numeric_limits<SimTime>::min();
  if (ns >= 9.2e18) return kNever;
  return static_cast<SimTime>(ns >= 0 ? ns + 0.5 : ns - 0.5);
}

// a + b for a, b >= 0.
inline constexpr SimTime SaturatingAdd(SimTime a, SimTime b) {
  return b > kNever - a ? kNever : a + b;
}

// a + b for a, b >= 0 of something that happens: before kNever, which would mean that it does not.
inline constexpr SimTime SumBeforeNever(SimTime a, SimTime b) {
  return b >= kNever - a ? kNever - 1 : a + b;
}

}  // namespace tokensim
