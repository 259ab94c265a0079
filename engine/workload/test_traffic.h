// For tests: arrivals and lengths written as values.
//
//   plan.workload.arrivals = PoissonArrivals{50};
//   plan.workload.lengths = IndependentLengths{FixedLength{10}, UniformLength{1, 30}};
#pragma once

#include <utility>
#include <vector>

#include "engine/workload/arrival_registry.h"
#include "engine/workload/length_registry.h"
#include "engine/workload/workload.h"

namespace tokensim {

// ---- Arrivals

struct PoissonArrivals {
  double rate_per_second = 0;
  operator Arrivals() const {  // NOLINT: these are written where the engine's struct is meant
    return {ArrivalProcesses().Make("poisson", {{"rate_per_second", rate_per_second}}), {}, {}};
  }
};
struct ConstantArrivals {
  double rate_per_second = 0;
  operator Arrivals() const {  // NOLINT
    return {ArrivalProcesses().Make("constant", {{"rate_per_second", rate_per_second}}), {}, {}};
  }
};
struct UniformArrivals {
  double start_seconds = 0;
  double end_seconds = 0;
  operator Arrivals() const {  // NOLINT
    return {ArrivalProcesses().Make(
                "uniform", {{"start_seconds", start_seconds}, {"end_seconds", end_seconds}}),
            {},
            {}};
  }
};
struct BurstArrivals {
  int64_t size = 1;
  double interval_seconds = 0;
  operator Arrivals() const {  // NOLINT
    return {ArrivalProcesses().Make("burst", {{"size", static_cast<double>(size)},
                                              {"interval_seconds", interval_seconds}}),
            {},
            {}};
  }
};
struct TraceArrivals {
  double speedup = 1;
  operator Arrivals() const {  // NOLINT
    return {ArrivalProcesses().Make("trace", {{"speedup", speedup}}), {}, {}};
  }
};
struct GammaArrivals {
  double rate_per_second = 0;
  double cv = 1;
  operator Arrivals() const {  // NOLINT
    return {ArrivalProcesses().Make("gamma", {{"rate_per_second", rate_per_second}, {"cv", cv}}),
            {},
            {}};
  }
};
struct WeibullArrivals {
  double rate_per_second = 0;
  double cv = 1;
  operator Arrivals() const {  // NOLINT
    return {ArrivalProcesses().Make("weibull", {{"rate_per_second", rate_per_second}, {"cv", cv}}),
            {},
            {}};
  }
};
struct PiecewiseArrivals {
  std::vector<RateSegment> segments;
  bool repeat = false;
  operator Arrivals() const {  // NOLINT
    return {ArrivalProcesses().Make("piecewise", {{"repeat", repeat ? 1 : 0}}), segments, {}};
  }
};
struct ClosedLoopArrivals {
  int64_t users = 1;
  DurationDistribution think_time;
  double ramp_seconds = 0;
  operator Arrivals() const {  // NOLINT
    return {ArrivalProcesses().Make("closed_loop", {{"users", static_cast<double>(users)},
                                                    {"ramp_seconds", ramp_seconds}}),
            {},
            think_time};
  }
};

// ---- Lengths

struct FixedLength {
  int32_t tokens = 1;
  operator LengthDistribution() const {  // NOLINT
    return {LengthDistributions().Make("fixed", {{"tokens", tokens}}), {}};
  }
};
struct UniformLength {
  int32_t min = 1;
  int32_t max = 1;
  operator LengthDistribution() const {  // NOLINT
    return {LengthDistributions().Make("uniform", {{"min", min}, {"max", max}}), {}};
  }
};
struct LogNormalLength {
  double median = 1;
  double sigma = 0;
  int32_t min = 1;
  int32_t max = kUsualMaxTokens;
  operator LengthDistribution() const {  // NOLINT
    return {LengthDistributions().Make(
                "lognormal", {{"median", median}, {"sigma", sigma}, {"min", min}, {"max", max}}),
            {}};
  }
};
struct PoissonLength {
  double mean = 1;
  int32_t min = 1;
  int32_t max = kUsualMaxTokens;
  operator LengthDistribution() const {  // NOLINT
    return {LengthDistributions().Make("poisson", {{"mean", mean}, {"min", min}, {"max", max}}),
            {}};
  }
};
[[nodiscard]] inline LengthDistribution Quantiles(QuantileTable table) {
  return {LengthDistributions().Make("quantiles"), std::move(table)};
}

struct IndependentLengths {
  LengthDistribution input;
  LengthDistribution output;
  operator Lengths() const {  // NOLINT
    return {LengthSources().Make("independent"), input, output, {}};
  }
};
struct JointLengths {
  QuantileTable input;
  std::vector<OutputBin> bins;
  operator Lengths() const {  // NOLINT
    return {LengthSources().Make("joint"), {nullptr, input}, {}, bins};
  }
};
struct TraceLengths {
  bool resample = false;
  operator Lengths() const {  // NOLINT
    return {LengthSources().Make("trace", {{"resample", resample ? 1 : 0}}), {}, {}, {}};
  }
};

}  // namespace tokensim
