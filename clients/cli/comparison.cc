#include "clients/cli/comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

namespace tokensim::cli {

namespace {

bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Without the name of its class.
std::string_view Own(const std::string& metric) {
  constexpr std::string_view kClass = "class.";
  const std::string_view name = metric;
  return name.starts_with(kClass) ? name.substr(name.rfind('.') + 1) : name;
}

}  // namespace

Direction DirectionOf(const Metric& metric) {
  const std::string_view name = Own(metric.metric);
  const std::string_view statistic = metric.statistic;
  if (IsOneOf(name, {"ttft_seconds", "tpot_seconds", "e2e_seconds", "queueing_seconds",
                     "decode_queueing_seconds", "normalized_latency_seconds", "max_itl_seconds",
                     "kv_transfer_seconds"})) {
    return IsOneOf(statistic, {"mean", "p50", "p90", "p95", "p99"}) ? Direction::kDown
                                                                    : Direction::kNeither;
  }
  if (name == "slo") return Direction::kUp;
  if (name == "throughput") {
    return statistic == "span_seconds" ? Direction::kNeither : Direction::kUp;
  }
  if (name == "cost") {
    return statistic == "requests_per_dollar" ? Direction::kUp : Direction::kDown;
  }
  if (name == "energy") return Direction::kDown;
  if (name == "requests") {
    if (statistic == "finished") return Direction::kUp;
    return statistic == "total" ? Direction::kNeither : Direction::kDown;
  }
  if (name == "cache" && statistic == "hit_ratio") return Direction::kUp;
  return Direction::kNeither;
}

std::vector<MetricChange> CompareReports(const v1::Report& a, const v1::Report& b,
                                         const std::vector<std::string>& names) {
  const std::vector<Metric> of_a = ListMetrics(a);
  const std::vector<Metric> of_b = ListMetrics(b);
  std::vector<std::string> wanted = names;
  if (wanted.empty()) {
    for (const std::vector<Metric>* metrics : {&of_a, &of_b}) {
      for (const Metric& metric : *metrics) {
        // Those of classes that only b has come last.
        if (metrics == &of_b && FindMetric(of_a, metric.name()) != nullptr) continue;
        wanted.push_back(metric.name());
      }
    }
  }
  std::vector<MetricChange> changes;
  for (const std::string& name : wanted) {
    const Metric* in_a = FindMetric(of_a, name);
    const Metric* in_b = FindMetric(of_b, name);
    const Metric* any = in_a != nullptr ? in_a : in_b;
    if (any == nullptr) continue;
    Metric without = *any;
    without.value.reset();
    changes.push_back(
        {in_a != nullptr ? *in_a : without, in_b != nullptr ? *in_b : without, DirectionOf(*any)});
  }
  return changes;
}

std::optional<double> RelativeChange(const MetricChange& change) {
  if (!change.a.value || !change.b.value) return std::nullopt;
  const double a = *change.a.value;
  const double b = *change.b.value;
  if (a == b) return 0;
  if (a == 0) return std::nullopt;
  return b / a - 1;
}

double Worsening(const MetricChange& change) {
  if (change.direction == Direction::kNeither || !change.a.value) return 0;
  if (!change.b.value) return std::numeric_limits<double>::infinity();
  const double sign = change.direction == Direction::kDown ? 1 : -1;
  const double worse = sign * (*change.b.value - *change.a.value);
  if (worse == 0) return 0;
  if (*change.a.value == 0) {
    return worse > 0 ? std::numeric_limits<double>::infinity()
                     : -std::numeric_limits<double>::infinity();
  }
  return worse / std::abs(*change.a.value);
}

}  // namespace tokensim::cli
