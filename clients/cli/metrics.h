// The figures of a report, by name: for assertions and CSV.
//
// A name is metric.statistic, as ttft_seconds.p99 (ttft.p99 for short), requests.rejected,
// throughput.output_tokens_per_second, slo.attainment, cache.hit_ratio, kv_transfer.p99,
// cost.dollars_per_million_output_tokens. Those of a
// client class begin with its name: class.chat.ttft.p99, class.chat.slo.attainment.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tokensim/v1/report.pb.h"

namespace tokensim::cli {

enum class Unit { kSeconds, kRatio, kNumber };

struct Metric {
  std::string metric;     // as in the report: ttft_seconds
  std::string statistic;  // p99
  Unit unit = Unit::kNumber;
  std::optional<double> value;  // nothing: undefined in this run, as TPOT without any sample

  [[nodiscard]] std::string name() const {
    return statistic.empty() ? metric : metric + "." + statistic;
  }
};

// Every metric in a fixed order, whether defined in this report or not; at the end those of the
// report's classes.
[[nodiscard]] std::vector<Metric> ListMetrics(const v1::Report& report);

// The metrics `name` may mean before there is a report: all of ListMetrics, and those of the class
// it names, if any. None has a value.
[[nodiscard]] std::vector<Metric> MetricsFor(const std::string& name);

// Finds a metric by name; `_seconds` may be left out, and `goodput` means
// slo.goodput_requests_per_second, also of a class. Null when there is none.
[[nodiscard]] const Metric* FindMetric(const std::vector<Metric>& metrics, const std::string& name);

// Up to three names close to `name`, the nearest first.
[[nodiscard]] std::vector<std::string> NearestMetrics(const std::vector<Metric>& metrics,
                                                      const std::string& name);

// The value with its unit: "45.2 ms", "99.2 %", "1,650".
[[nodiscard]] std::string FormatMetric(const Metric& metric);

}  // namespace tokensim::cli
