#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "clients/cli/bench_output.h"
#include "clients/cli/bench_samples.h"
#include "engine/base/time.h"

namespace tokensim::cli {

namespace {

using nlohmann::ordered_json;

// mean_ttft_ms, median_ttft_ms, std_ttft_ms, p99_ttft_ms; of nothing all are 0, as there.
void AddStatistics(const std::string& name, std::vector<double> seconds, ordered_json* run) {
  std::sort(seconds.begin(), seconds.end());
  const auto at = [&](double share) { return seconds.empty() ? 0 : PercentileOf(seconds, share); };
  (*run)["mean_" + name + "_ms"] = 1e3 * MeanOf(seconds);
  (*run)["median_" + name + "_ms"] = 1e3 * at(0.5);
  (*run)["std_" + name + "_ms"] = 1e3 * DeviationOf(seconds);
  (*run)["p99_" + name + "_ms"] = 1e3 * at(0.99);
}

// What the client sees of each request, in the order they were sent.
struct Sent {
  std::vector<int32_t> inputs, outputs;
  std::vector<double> starts, ttfts, latencies;
  std::vector<std::string> errors;
  // Of those that succeeded.
  std::vector<double> good_ttfts, good_latencies, tpots;
  double gap_seconds = 0;
  int64_t gaps = 0;
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
  SimTime first = kUnset;
  SimTime last = 0;

  void Add(const RequestRecord& record) {
    const bool failed = record.reject_reason != RejectReason::kNone;
    if (first == kUnset) first = record.arrival;
    last = std::max(last, record.finish);
    const double ttft = failed ? 0 : ToSeconds(record.first_token - record.arrival);
    const double latency = failed ? 0 : ToSeconds(record.finish - record.arrival);
    inputs.push_back(record.input_tokens);
    outputs.push_back(failed ? 0 : record.output_tokens);
    starts.push_back(ToSeconds(record.arrival));
    ttfts.push_back(ttft);
    latencies.push_back(latency);
    errors.emplace_back(failed ? "rejected" : "");
    if (failed) return;
    good_ttfts.push_back(ttft);
    good_latencies.push_back(latency);
    input_tokens += record.input_tokens;
    output_tokens += record.output_tokens;
    if (record.output_tokens < 2) return;
    tpots.push_back((latency - ttft) / (record.output_tokens - 1));
    gap_seconds += latency - ttft;
    gaps += record.output_tokens - 1;
  }
};

Sent InOrder(const RequestTable& records) {
  Sent sent;
  for (const RequestRecord& row : InOrderOfArrival(records)) sent.Add(row);
  return sent;
}

}  // namespace

void WriteVllmBench(const RequestTable& records, const std::string& label, std::ostream& out) {
  const Sent sent = InOrder(records);
  const double duration = std::max(ToSeconds(sent.last - std::max<SimTime>(sent.first, 0)), 1e-9);
  const auto completed = static_cast<double>(sent.good_ttfts.size());
  ordered_json run;
  run["backend"] = "tokensim";
  run["endpoint_type"] = "tokensim";
  run["label"] = label;
  run["num_prompts"] = sent.inputs.size();
  run["duration"] = duration;
  run["completed"] = sent.good_ttfts.size();
  run["failed"] = sent.inputs.size() - sent.good_ttfts.size();
  run["total_input_tokens"] = sent.input_tokens;
  run["total_output_tokens"] = sent.output_tokens;
  run["request_throughput"] = completed / duration;
  run["request_goodput"] = nullptr;
  run["output_throughput"] = static_cast<double>(sent.output_tokens) / duration;
  run["total_token_throughput"] =
      static_cast<double>(sent.input_tokens + sent.output_tokens) / duration;
  AddStatistics("ttft", sent.good_ttfts, &run);
  AddStatistics("tpot", sent.tpots, &run);
  run["mean_itl_ms"] = sent.gaps == 0 ? 0 : 1e3 * sent.gap_seconds / static_cast<double>(sent.gaps);
  AddStatistics("e2el", sent.good_latencies, &run);
  run["input_lens"] = sent.inputs;
  run["output_lens"] = sent.outputs;
  run["start_times"] = sent.starts;
  run["ttfts"] = sent.ttfts;
  run["latencies"] = sent.latencies;
  run["errors"] = sent.errors;
  out << run.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
}

}  // namespace tokensim::cli
