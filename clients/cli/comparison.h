// Two reports side by side: what became better and what worse.
//
//   std::vector<MetricChange> changes = CompareReports(before, after, {});
//   for (const MetricChange& c : changes) if (Worsening(c) > 0.02) ...
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "clients/cli/metrics.h"
#include "tokensim/v1/report.pb.h"

namespace tokensim::cli {

// Which way a metric should go.
enum class Direction { kNeither, kDown, kUp };

// Of a metric by its name: latencies, cost, energy, rejections down; throughput, goodput, attainment,
// hit ratio and requests per dollar up. Neither: counts of what was asked for, spreads and extremes.
[[nodiscard]] Direction DirectionOf(const Metric& metric);

struct MetricChange {
  Metric a;
  Metric b;
  Direction direction = Direction::kNeither;
};

// `names`: which metrics, as FindMetric knows them; empty: all of both, in order.
[[nodiscard]] std::vector<MetricChange> CompareReports(const v1::Report& a, const v1::Report& b,
                                                       const std::vector<std::string>& names);

// b / a - 1. Nothing when either is undefined or only a is 0; 0 when both are 0.
[[nodiscard]] std::optional<double> RelativeChange(const MetricChange& change);

// How much worse b is, relative to a: negative when it is better, 0 without a direction. Infinite when
// a was 0 and b is worse, and when b is undefined but a was not.
[[nodiscard]] double Worsening(const MetricChange& change);

}  // namespace tokensim::cli
