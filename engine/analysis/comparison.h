// How far a simulation is from what was measured.
//
//   std::vector<Comparison> comparisons = Compare(truth, results.records);
//   comparisons[0].metrics[0].figures[0].error();    // -0.035: simulated 3.5 % too short
//
// Metrics: throughput (requests_per_second, output_tokens_per_second: over first arrival to last
// token), ttft and e2e from the arrival, as users see them, tpot, and ttft_queued and e2e_queued
// from the moment the engine took the request in, where the truth has it: what engines themselves
// log. Percentiles interpolate linearly between order statistics, as numpy's default. What the truth
// does not have is not compared.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/analysis/truth.h"
#include "engine/run/results.h"

namespace tokensim::accuracy {

// One statistic, in seconds or per second.
struct Figure {
  std::string statistic;  // mean, p50, p90, p99, requests_per_second...
  double measured = 0;
  double simulated = 0;

  // Simulated minus measured, as a share of measured. Nothing measured: 0 or infinite.
  [[nodiscard]] double error() const;
};

struct MetricComparison {
  std::string metric;
  std::vector<Figure> figures;
  // Absolute errors of single requests, as a share of what was measured of each: their mean and
  // median. Only of runs request by request.
  std::optional<double> mape;
  std::optional<double> median_ape;
};

// Whether a system keeps up with the offered rate: one that does not finishes its requests long
// after they were sent, so that its throughput stays below kKeepsUp of the rate.
struct Saturation {
  double offered_per_second = 0;
  bool measured = false;
  bool simulated = false;
};
inline constexpr double kKeepsUp = 0.9;

// A run, or one stage of one.
struct Comparison {
  std::string name;           // run, stage0, stage1...
  int64_t requests = 0;       // compared
  int64_t not_simulated = 0;  // the simulation rejected or did not finish them
  std::vector<MetricComparison> metrics;
  std::optional<Saturation> saturation;  // of stages

  // Stages in which clients gave up have no figures worth comparing.
  bool overloaded = false;
};

// The same schedule served twice: the errors of the second run, taken for a simulation of the first,
// are the noise below which no error means anything. Requests are compared in order of arrival;
// INVALID_ARGUMENT when one run has more of them.
[[nodiscard]] absl::StatusOr<std::vector<Comparison>> CompareRepeat(const MeasuredRun& run,
                                                                    const MeasuredRun& repeat);

// Records of a simulation of ToWorkload(truth); in any order.
[[nodiscard]] std::vector<Comparison> Compare(const MeasuredRun& run,
                                              const std::vector<RequestRecord>& records);
[[nodiscard]] std::vector<Comparison> Compare(const MeasuredStages& run,
                                              const std::vector<RequestRecord>& records);
[[nodiscard]] std::vector<Comparison> Compare(const Truth& truth,
                                              const std::vector<RequestRecord>& records);

}  // namespace tokensim::accuracy
