#include "clients/cli/metrics.h"

#include <string_view>
#include <utility>

#include "clients/cli/units.h"
#include "engine/spec/nearest.h"

namespace tokensim::cli {

namespace {

class MetricList {
 public:
  void Add(const std::string& metric, const std::string& statistic, Unit unit,
           std::optional<double> value) {
    metrics_.push_back({metric, statistic, unit, value});
  }

  void AddCount(const std::string& metric, const std::string& statistic, int64_t count) {
    Add(metric, statistic, Unit::kNumber, static_cast<double>(count));
  }

  void AddDistribution(const std::string& metric, Unit unit, const v1::Distribution& d) {
    AddCount(metric, "count", d.count());
    const std::pair<const char*, double> statistics[] = {
        {"mean", d.mean()}, {"stddev", d.stddev()}, {"min", d.min()}, {"p50", d.p50()},
        {"p90", d.p90()},   {"p95", d.p95()},       {"p99", d.p99()}, {"max", d.max()}};
    for (const auto& [name, value] : statistics) {
      Add(metric, name, unit, d.count() > 0 ? std::optional<double>(value) : std::nullopt);
    }
  }

  std::vector<Metric> Take() { return std::move(metrics_); }

 private:
  std::vector<Metric> metrics_;
};

void AddSlo(const v1::Report& report, MetricList* list) {
  const v1::SloReport& slo = report.slo();
  const auto defined = [&report](double value) {
    return report.has_slo() ? std::optional<double>(value) : std::nullopt;
  };
  list->Add("slo", "met", Unit::kNumber, defined(static_cast<double>(slo.met())));
  list->Add("slo", "attainment", Unit::kRatio, defined(slo.attainment()));
  list->Add("slo", "goodput_requests_per_second", Unit::kNumber,
            defined(slo.goodput_requests_per_second()));
  list->Add("slo", "goodput_output_tokens_per_second", Unit::kNumber,
            defined(slo.goodput_output_tokens_per_second()));
}

// The name as a person would write it in an assertion.
std::string ShortName(const Metric& metric) {
  constexpr std::string_view kSuffix = "_seconds";
  Metric copy = metric;
  if (!copy.statistic.empty() && copy.metric.ends_with(kSuffix)) {
    copy.metric.resize(copy.metric.size() - kSuffix.size());
  }
  return copy.name();
}

}  // namespace

std::vector<Metric> ListMetrics(const v1::Report& report) {
  MetricList list;
  const v1::RequestCounts& requests = report.requests();
  list.AddCount("requests", "total", requests.total());
  list.AddCount("requests", "finished", requests.finished());
  list.AddCount("requests", "rejected",
                requests.rejected_max_model_len() + requests.rejected_kv_capacity());
  list.AddCount("requests", "rejected_max_model_len", requests.rejected_max_model_len());
  list.AddCount("requests", "rejected_kv_capacity", requests.rejected_kv_capacity());
  list.AddCount("requests", "unfinished", requests.unfinished());
  list.AddCount("requests", "preemptions", requests.preemptions());
  list.Add("simulated_seconds", "", Unit::kSeconds, report.simulated_seconds());
  const v1::Throughput& throughput = report.throughput();
  list.Add("throughput", "span_seconds", Unit::kSeconds, throughput.span_seconds());
  list.Add("throughput", "requests_per_second", Unit::kNumber, throughput.requests_per_second());
  list.Add("throughput", "input_tokens_per_second", Unit::kNumber,
           throughput.input_tokens_per_second());
  list.Add("throughput", "output_tokens_per_second", Unit::kNumber,
           throughput.output_tokens_per_second());
  list.AddDistribution("ttft_seconds", Unit::kSeconds, report.ttft_seconds());
  list.AddDistribution("tpot_seconds", Unit::kSeconds, report.tpot_seconds());
  list.AddDistribution("e2e_seconds", Unit::kSeconds, report.e2e_seconds());
  list.AddDistribution("queueing_seconds", Unit::kSeconds, report.queueing_seconds());
  list.AddDistribution("normalized_latency_seconds", Unit::kSeconds,
                       report.normalized_latency_seconds());
  list.AddDistribution("max_itl_seconds", Unit::kSeconds, report.max_itl_seconds());
  list.AddDistribution("input_tokens", Unit::kNumber, report.input_tokens());
  list.AddDistribution("output_tokens", Unit::kNumber, report.output_tokens());
  AddSlo(report, &list);
  return list.Take();
}

const Metric* FindMetric(const std::vector<Metric>& metrics, const std::string& name) {
  const std::string wanted = name == "goodput" ? "slo.goodput_requests_per_second" : name;
  for (const Metric& metric : metrics) {
    if (wanted == metric.name() || wanted == ShortName(metric)) return &metric;
  }
  return nullptr;
}

std::vector<std::string> NearestMetrics(const std::vector<Metric>& metrics,
                                        const std::string& name) {
  constexpr size_t kMost = 3;
  std::vector<std::string> names;
  for (const Metric& metric : metrics) names.push_back(ShortName(metric));
  return NearestNames(name, names, kMost);
}

std::string FormatMetric(const Metric& metric) {
  if (!metric.value) return "undefined";
  switch (metric.unit) {
    case Unit::kSeconds:
      return FormatSeconds(*metric.value);
    case Unit::kRatio:
      return FormatPercent(*metric.value);
    case Unit::kNumber:
      return FormatNumber(*metric.value);
  }
  return "";
}

}  // namespace tokensim::cli
