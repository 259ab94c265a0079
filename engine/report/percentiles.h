// Exact percentiles of one column of samples.
//
//   std::vector<double> ttft = ...;
//   Distribution d = Summarize(ttft);
//
// Percentiles interpolate linearly between order statistics, as numpy's default. Only the order
// statistics that are needed are found: samples are counted in equal bins between their minimum and
// maximum, and only the bins that hold a wanted rank are looked into, in the same way. That is
// about three passes over the data, against the dozens of a sort.
//
// Mean and standard deviation (of the population) are computed in two passes in a fixed order of
// additions, so they are stable and the same everywhere. Thread-safety: functions without state.
#pragma once

#include <span>
#include <vector>

#include "engine/report/report.h"

namespace tokensim {

// Samples must be finite and >= 0. No sample: all zero.
[[nodiscard]] Distribution Summarize(std::span<const double> samples);

// The percentile (0 <= percent <= 100) of samples; 0 without samples.
[[nodiscard]] double Percentile(std::span<const double> samples, double percent);

}  // namespace tokensim
