#include "clients/cli/metrics.h"

#include <string_view>
#include <utility>

#include "clients/cli/units.h"
#include "engine/base/nearest.h"

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

  // Undefined unless `present`.
  void AddIf(bool present, const std::string& metric, const std::string& statistic, Unit unit,
             double value) {
    Add(metric, statistic, unit, present ? std::optional<double>(value) : std::nullopt);
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

void AddSlo(const std::string& metric, bool present, const v1::SloReport& slo, MetricList* list) {
  list->AddIf(present, metric, "met", Unit::kNumber, static_cast<double>(slo.met()));
  list->AddIf(present, metric, "attainment", Unit::kRatio, slo.attainment());
  list->AddIf(present, metric, "goodput_requests_per_second", Unit::kNumber,
              slo.goodput_requests_per_second());
  list->AddIf(present, metric, "goodput_output_tokens_per_second", Unit::kNumber,
              slo.goodput_output_tokens_per_second());
  const auto add_met = [&](const char* statistic, bool asked, int64_t met) {
    list->AddIf(present && asked, metric, statistic, Unit::kNumber, static_cast<double>(met));
  };
  add_met("met_ttft", slo.has_met_ttft(), slo.met_ttft());
  add_met("met_tpot", slo.has_met_tpot(), slo.met_tpot());
  add_met("met_max_itl", slo.has_met_max_itl(), slo.met_max_itl());
  add_met("met_e2e", slo.has_met_e2e(), slo.met_e2e());
}

void AddCounts(const v1::RequestCounts& requests, MetricList* list) {
  list->AddCount("requests", "total", requests.total());
  list->AddCount("requests", "finished", requests.finished());
  list->AddCount("requests", "rejected",
                 requests.rejected_max_model_len() + requests.rejected_kv_capacity() +
                     requests.rejected_no_worker());
  list->AddCount("requests", "rejected_max_model_len", requests.rejected_max_model_len());
  list->AddCount("requests", "rejected_kv_capacity", requests.rejected_kv_capacity());
  list->AddCount("requests", "rejected_no_worker", requests.rejected_no_worker());
  list->AddCount("requests", "unfinished", requests.unfinished());
  list->AddCount("requests", "preemptions", requests.preemptions());
}

void AddCacheAndTransfers(const v1::Report& report, MetricList* list) {
  const v1::CacheReport& cache = report.cache();
  const auto add = [&](const char* statistic, Unit unit, double value) {
    list->AddIf(report.has_cache(), "cache", statistic, unit, value);
  };
  add("hit_ratio", Unit::kRatio, cache.hit_ratio());
  add("input_tokens", Unit::kNumber, static_cast<double>(cache.input_tokens()));
  add("cached_tokens", Unit::kNumber, static_cast<double>(cache.cached_tokens()));
  add("pool_hit_tokens", Unit::kNumber, static_cast<double>(cache.pool_hit_tokens()));
  add("pool_evicted_tokens", Unit::kNumber, static_cast<double>(cache.pool_evicted_tokens()));
  add("pool_max_bytes", Unit::kNumber, static_cast<double>(cache.pool_max_bytes()));
  list->AddCount("transfers", "migrations", report.transfers().migrations());
  list->AddCount("transfers", "redispatched", report.transfers().redispatched());
  list->AddDistribution("kv_transfer_seconds", Unit::kSeconds,
                        report.transfers().kv_transfer_seconds());
}

void AddCost(const v1::Report& report, MetricList* list) {
  const v1::CostReport& cost = report.cost();
  const auto add = [&](bool present, const char* statistic, double value) {
    list->AddIf(present, "cost", statistic, Unit::kNumber, value);
  };
  add(report.has_cost(), "dollars_per_hour", cost.dollars_per_hour());
  add(report.has_cost(), "dollars", cost.dollars());
  add(cost.has_dollars_per_million_output_tokens(), "dollars_per_million_output_tokens",
      cost.dollars_per_million_output_tokens());
  add(cost.has_dollars_per_million_tokens(), "dollars_per_million_tokens",
      cost.dollars_per_million_tokens());
  add(cost.has_requests_per_dollar(), "requests_per_dollar", cost.requests_per_dollar());
  const v1::EnergyReport& energy = report.energy();
  list->AddIf(report.has_energy(), "energy", "max_watts", Unit::kNumber, energy.max_watts());
  list->AddIf(report.has_energy(), "energy", "max_kilowatt_hours", Unit::kNumber,
              energy.max_kilowatt_hours());
  list->AddIf(energy.has_max_joules_per_output_token(), "energy", "max_joules_per_output_token",
              Unit::kNumber, energy.max_joules_per_output_token());
}

void AddClass(const v1::ClassReport& client, MetricList* list) {
  const std::string prefix = "class." + client.name() + '.';
  list->AddCount(prefix + "requests", "finished", client.finished());
  list->AddCount(prefix + "requests", "rejected", client.rejected());
  list->AddDistribution(prefix + "ttft_seconds", Unit::kSeconds, client.ttft_seconds());
  list->AddDistribution(prefix + "tpot_seconds", Unit::kSeconds, client.tpot_seconds());
  list->AddDistribution(prefix + "e2e_seconds", Unit::kSeconds, client.e2e_seconds());
  AddSlo(prefix + "slo", client.has_slo(), client.slo(), list);
}

constexpr std::string_view kClassPrefix = "class.";
constexpr std::string_view kGoodput = "goodput";

// Whether it is `goodput`, or ends with `.goodput` and is a class's.
bool IsGoodput(const std::string& name) {
  return name == kGoodput || (name.starts_with(kClassPrefix) && name.ends_with(".goodput"));
}

// "chat" of class.chat.ttft.p99; class names may hold dots themselves. Empty: names no class.
std::string ClassIn(const std::string& name) {
  if (!name.starts_with(kClassPrefix)) return "";
  size_t end = name.rfind('.');
  if (!IsGoodput(name)) end = name.rfind('.', end - 1);
  if (end == std::string::npos || end <= kClassPrefix.size()) return "";
  return name.substr(kClassPrefix.size(), end - kClassPrefix.size());
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
  AddCounts(report.requests(), &list);
  const v1::WindowReport& window = report.window();
  list.AddIf(report.has_window(), "window", "start_seconds", Unit::kSeconds,
             window.start_seconds());
  list.AddIf(window.has_end_seconds(), "window", "end_seconds", Unit::kSeconds,
             window.end_seconds());
  list.AddIf(report.has_window(), "window", "finished", Unit::kNumber,
             static_cast<double>(window.finished()));
  list.AddIf(report.has_window(), "window", "rejected", Unit::kNumber,
             static_cast<double>(window.rejected()));
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
  list.AddDistribution("decode_queueing_seconds", Unit::kSeconds, report.decode_queueing_seconds());
  list.Add("mean_homeless", "", Unit::kNumber, report.mean_homeless());
  list.AddDistribution("normalized_latency_seconds", Unit::kSeconds,
                       report.normalized_latency_seconds());
  list.AddDistribution("max_itl_seconds", Unit::kSeconds, report.max_itl_seconds());
  list.AddDistribution("input_tokens", Unit::kNumber, report.input_tokens());
  list.AddDistribution("output_tokens", Unit::kNumber, report.output_tokens());
  AddSlo("slo", report.has_slo(), report.slo(), &list);
  AddCacheAndTransfers(report, &list);
  AddCost(report, &list);
  for (const v1::ClassReport& client : report.classes()) AddClass(client, &list);
  return list.Take();
}

std::vector<Metric> MetricsFor(const std::string& name) {
  v1::Report report;
  const std::string client = ClassIn(name);
  if (!client.empty()) report.add_classes()->set_name(client);
  std::vector<Metric> metrics = ListMetrics(report);
  for (Metric& metric : metrics) metric.value.reset();
  return metrics;
}

const Metric* FindMetric(const std::vector<Metric>& metrics, const std::string& name) {
  std::string wanted = name;
  if (IsGoodput(name)) {
    wanted.resize(name.size() - kGoodput.size());
    wanted += "slo.goodput_requests_per_second";
  }
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
