#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "clients/cli/bench_output.h"
#include "clients/cli/bench_samples.h"
#include "engine/base/time.h"

namespace tokensim::cli {

namespace {

using nlohmann::ordered_json;

// GuideLLM's names: p001 is 0.1 %, p999 is 99.9 %.
constexpr std::pair<const char*, double> kPercentiles[] = {
    {"p001", 0.001}, {"p01", 0.01}, {"p05", 0.05}, {"p10", 0.1},  {"p25", 0.25},  {"p50", 0.5},
    {"p75", 0.75},   {"p90", 0.9},  {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}};

ordered_json Distribution(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const bool any = !values.empty();
  const double deviation = DeviationOf(values);
  ordered_json out;
  out["mean"] = MeanOf(values);
  out["median"] = any ? PercentileOf(values, 0.5) : 0;
  out["variance"] = deviation * deviation;
  out["std_dev"] = deviation;
  out["min"] = any ? values.front() : 0;
  out["max"] = any ? values.back() : 0;
  out["count"] = values.size();
  out["total_sum"] = MeanOf(values) * static_cast<double>(values.size());
  for (const auto& [name, share] : kPercentiles) {
    out["percentiles"][name] = any ? PercentileOf(values, share) : 0;
  }
  return out;
}

ordered_json RequestOf(const RequestRecord& record, bool failed) {
  const double start = ToSeconds(record.arrival);
  ordered_json timings = {{"targeted_start", start}, {"request_start", start}};
  if (!failed) {
    timings["first_token_iteration"] = ToSeconds(record.first_token);
    timings["last_token_iteration"] = ToSeconds(record.finish);
  }
  timings["request_end"] = ToSeconds(record.finish);
  return {{"request_id", std::to_string(record.request_id)},
          {"info", {{"timings", std::move(timings)}}},
          {"input_metrics",
           {{"text_tokens", record.input_tokens}, {"cached_tokens", record.cached_tokens}}},
          {"output_metrics", {{"text_tokens", failed ? 0 : record.output_tokens}}}};
}

// The samples of the requests that succeeded.
struct Samples {
  std::vector<double> latencies, ttfts_ms, tpots_ms, itls_ms, inputs, outputs, totals;

  void Add(const RequestRecord& record) {
    const double ttft = ToSeconds(record.first_token - record.arrival);
    const double latency = ToSeconds(record.finish - record.arrival);
    latencies.push_back(latency);
    ttfts_ms.push_back(1e3 * ttft);
    tpots_ms.push_back(1e3 * latency / record.output_tokens);
    if (record.output_tokens > 1) {
      itls_ms.push_back(1e3 * (latency - ttft) / (record.output_tokens - 1));
    }
    inputs.push_back(record.input_tokens);
    outputs.push_back(record.output_tokens);
    totals.push_back(record.input_tokens + record.output_tokens);
  }

  // `seconds`: from the first request sent to the last one's end.
  [[nodiscard]] ordered_json Metrics(double seconds) const {
    ordered_json metrics;
    const auto add = [&metrics](const char* name, ordered_json distribution) {
      metrics[name]["successful"] = std::move(distribution);
    };
    const auto rate = [&](const char* name, double sum) {
      metrics[name]["successful"]["mean"] = sum / seconds;
    };
    const auto sum = [](const std::vector<double>& values) {
      return MeanOf(values) * static_cast<double>(values.size());
    };
    rate("requests_per_second", static_cast<double>(latencies.size()));
    rate("request_concurrency", sum(latencies));
    add("request_latency", Distribution(latencies));
    add("prompt_token_count", Distribution(inputs));
    add("output_token_count", Distribution(outputs));
    add("total_token_count", Distribution(totals));
    add("time_to_first_token_ms", Distribution(ttfts_ms));
    add("time_per_output_token_ms", Distribution(tpots_ms));
    add("inter_token_latency_ms", Distribution(itls_ms));
    rate("prompt_tokens_per_second", sum(inputs));
    rate("output_tokens_per_second", sum(outputs));
    rate("tokens_per_second", sum(totals));
    return metrics;
  }
};

}  // namespace

void WriteGuideLlm(const RequestTable& records, const std::string& label, std::ostream& out) {
  Samples samples;
  ordered_json successful = ordered_json::array();
  ordered_json errored = ordered_json::array();
  double start = 0;
  double end = 0;
  for (const RequestRecord& record : InOrderOfArrival(records)) {
    const bool failed = record.reject_reason != RejectReason::kNone;
    if (successful.empty() && errored.empty()) start = ToSeconds(record.arrival);
    end = std::max(end, ToSeconds(record.finish));
    (failed ? errored : successful).push_back(RequestOf(record, failed));
    if (!failed) samples.Add(record);
  }
  ordered_json benchmark;
  benchmark["config"] = {{"label", label}, {"backend", "tokensim"}};
  benchmark["start_time"] = start;
  benchmark["end_time"] = end;
  benchmark["duration"] = end - start;
  benchmark["warmup_duration"] = 0;
  benchmark["cooldown_duration"] = 0;
  benchmark["metrics"] = samples.Metrics(std::max(end - start, 1e-9));
  benchmark["metrics"]["request_totals"] = {{"successful", successful.size()},
                                            {"incomplete", 0},
                                            {"errored", errored.size()},
                                            {"total", successful.size() + errored.size()}};
  benchmark["requests"] = {{"successful", std::move(successful)},
                           {"incomplete", ordered_json::array()},
                           {"errored", std::move(errored)}};
  const ordered_json document = {{"metadata", {{"version", 2}, {"guidellm_version", "tokensim"}}},
                                 {"benchmarks", ordered_json::array({std::move(benchmark)})}};
  out << document.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
}

}  // namespace tokensim::cli
