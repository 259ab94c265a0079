#include "engine/analysis/comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "absl/strings/str_cat.h"
#include "engine/report/percentiles.h"

namespace tokensim::accuracy {

namespace {

// What both sides have of a request.
struct Stamps {
  SimTime arrival = 0;
  SimTime queued = kUnset;
  SimTime first_token = 0;
  SimTime last_token = 0;
  int32_t output_tokens = 1;
};

Stamps StampsOf(const MeasuredRequest& r) {
  return {r.arrival, r.queued, r.first_token, r.last_token, r.output_tokens};
}
Stamps StampsOf(const RequestRecord& r) {
  return {r.arrival, r.queued, r.first_token, r.finish, r.output_tokens};
}

double Ttft(const Stamps& s) { return ToSeconds(s.first_token - s.arrival); }
double E2e(const Stamps& s) { return ToSeconds(s.last_token - s.arrival); }
double QueuedTtft(const Stamps& s) { return ToSeconds(s.first_token - s.queued); }
double QueuedE2e(const Stamps& s) { return ToSeconds(s.last_token - s.queued); }
double Tpot(const Stamps& s) {
  return ToSeconds(s.last_token - s.first_token) / (s.output_tokens - 1);
}

// Finished records by request, null where there is none.
std::vector<const RequestRecord*> ByRequest(const std::vector<RequestRecord>& records,
                                            size_t requests) {
  std::vector<const RequestRecord*> by_request(requests);
  for (const RequestRecord& record : records) {
    const auto id = static_cast<size_t>(record.request_id);
    if (id < requests && record.reject_reason == RejectReason::kNone && record.finish >= 0) {
      by_request[id] = &record;
    }
  }
  return by_request;
}

double Mean(std::span<const double> values) { return Summarize(values).mean; }

struct Throughput {
  double requests_per_second = 0;
  double output_tokens_per_second = 0;
};

Throughput ThroughputOf(std::span<const Stamps> requests) {
  if (requests.empty()) return {};
  SimTime start = kNever;
  SimTime end = 0;
  double tokens = 0;
  for (const Stamps& s : requests) {
    start = std::min(start, s.arrival);
    end = std::max(end, s.last_token);
    tokens += s.output_tokens;
  }
  const double seconds = ToSeconds(end - start);
  if (seconds <= 0) return {};
  return {static_cast<double>(requests.size()) / seconds, tokens / seconds};
}

MetricComparison CompareThroughput(const Throughput& measured, const Throughput& simulated) {
  return {"throughput",
          {{"requests_per_second", measured.requests_per_second, simulated.requests_per_second},
           {"output_tokens_per_second", measured.output_tokens_per_second,
            simulated.output_tokens_per_second}}};
}

MetricComparison CompareRequests(const char* metric, std::span<const double> measured,
                                 std::span<const double> simulated) {
  MetricComparison out{metric, {{"mean", Mean(measured), Mean(simulated)}}};
  for (const auto& [name, percent] : {std::pair("p50", 50.0), {"p90", 90.0}, {"p99", 99.0}}) {
    out.figures.push_back({name, Percentile(measured, percent), Percentile(simulated, percent)});
  }
  std::vector<double> errors;
  for (size_t i = 0; i < measured.size(); ++i) {
    if (measured[i] > 0) errors.push_back(std::abs(simulated[i] - measured[i]) / measured[i]);
  }
  if (errors.empty()) return out;
  out.mape = Mean(errors);
  out.median_ape = Percentile(errors, 50);
  return out;
}

template <typename Latency>
MetricComparison CompareLatency(const char* metric, std::span<const Stamps> measured,
                                std::span<const Stamps> simulated, Latency latency) {
  std::vector<double> a;
  std::vector<double> b;
  for (size_t i = 0; i < measured.size(); ++i) {
    a.push_back(latency(measured[i]));
    b.push_back(latency(simulated[i]));
  }
  return CompareRequests(metric, a, b);
}

// Requests of one token have no TPOT.
MetricComparison CompareTpot(std::span<const Stamps> measured, std::span<const Stamps> simulated) {
  std::vector<double> a;
  std::vector<double> b;
  for (size_t i = 0; i < measured.size(); ++i) {
    if (measured[i].output_tokens < 2) continue;
    a.push_back(Tpot(measured[i]));
    b.push_back(Tpot(simulated[i]));
  }
  return CompareRequests("tpot", a, b);
}

Comparison CompareStage(const MeasuredStages& run, size_t index,
                        std::span<const Stamps> simulated) {
  const MeasuredStage& stage = run.stages[index];
  Comparison out;
  out.name = absl::StrCat("stage", index);
  out.requests = static_cast<int64_t>(simulated.size());
  out.not_simulated = stage.requests() - out.requests;
  out.overloaded = stage.failed > 0;
  if (stage.requests_per_second) {
    const double measured = *stage.requests_per_second;
    const Throughput throughput = ThroughputOf(simulated);
    const double offered = static_cast<double>(stage.requests()) / stage.duration_seconds;
    out.saturation = Saturation{offered, measured < kKeepsUp * offered,
                                throughput.requests_per_second < kKeepsUp * offered};
    out.metrics.push_back(
        CompareThroughput({measured, measured * run.output_tokens}, throughput));
  }
  const auto add = [&](const char* metric, const MeasuredLatency& measured, auto latency) {
    std::vector<double> values;
    for (const Stamps& s : simulated) values.push_back(latency(s));
    MetricComparison compared{metric, {}};
    if (measured.mean) compared.figures.push_back({"mean", *measured.mean, Mean(values)});
    if (measured.p50) compared.figures.push_back({"p50", *measured.p50, Percentile(values, 50)});
    if (measured.p90) compared.figures.push_back({"p90", *measured.p90, Percentile(values, 90)});
    if (!compared.figures.empty()) out.metrics.push_back(std::move(compared));
  };
  add("ttft", stage.ttft, Ttft);
  if (run.output_tokens > 1) add("tpot", {.mean = stage.tpot_mean_seconds}, Tpot);
  add("e2e", stage.e2e, E2e);
  return out;
}

// Of a run, by what it has stamps for.
Comparison CompareStamps(const MeasuredRun& run, std::span<const Stamps> measured,
                         std::span<const Stamps> simulated) {
  Comparison out{"run", static_cast<int64_t>(measured.size())};
  const auto add = [&](bool known, const char* metric, auto latency) {
    if (known) out.metrics.push_back(CompareLatency(metric, measured, simulated, latency));
  };
  const bool first = run.has_first_token;
  const bool last = run.has_last_token;
  if (last) {
    out.metrics.push_back(CompareThroughput(ThroughputOf(measured), ThroughputOf(simulated)));
  }
  add(first, "ttft", Ttft);
  add(first && run.has_queued, "ttft_queued", QueuedTtft);
  if (first && last) out.metrics.push_back(CompareTpot(measured, simulated));
  add(last, "e2e", E2e);
  add(last && run.has_queued, "e2e_queued", QueuedE2e);
  return out;
}

}  // namespace

double Figure::error() const {
  if (measured != 0) return simulated / measured - 1;
  return simulated == 0 ? 0 : std::numeric_limits<double>::infinity();
}

std::vector<Comparison> Compare(const MeasuredRun& run, const std::vector<RequestRecord>& records) {
  const std::vector<const RequestRecord*> by_request = ByRequest(records, run.requests.size());
  std::vector<Stamps> measured;
  std::vector<Stamps> simulated;
  for (size_t i = 0; i < by_request.size(); ++i) {
    if (by_request[i] == nullptr) continue;
    measured.push_back(StampsOf(run.requests[i]));
    simulated.push_back(StampsOf(*by_request[i]));
  }
  Comparison out = CompareStamps(run, measured, simulated);
  out.not_simulated = static_cast<int64_t>(run.requests.size() - measured.size());
  return {std::move(out)};
}

absl::StatusOr<std::vector<Comparison>> CompareRepeat(const MeasuredRun& run,
                                                      const MeasuredRun& repeat) {
  if (run.requests.size() != repeat.requests.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        repeat.name, " has ", repeat.requests.size(), " requests, ", run.name, " has ",
        run.requests.size(), ": not the same schedule"));
  }
  MeasuredRun both = run;  // what both say
  both.has_first_token = run.has_first_token && repeat.has_first_token;
  both.has_last_token = run.has_last_token && repeat.has_last_token;
  both.has_queued = run.has_queued && repeat.has_queued;
  std::vector<Stamps> first;
  std::vector<Stamps> second;
  for (size_t i = 0; i < run.requests.size(); ++i) {
    first.push_back(StampsOf(run.requests[i]));
    second.push_back(StampsOf(repeat.requests[i]));
  }
  return std::vector<Comparison>{CompareStamps(both, first, second)};
}

std::vector<Comparison> Compare(const MeasuredStages& run,
                                const std::vector<RequestRecord>& records) {
  size_t total = 0;
  for (const MeasuredStage& stage : run.stages) total += static_cast<size_t>(stage.requests());
  const std::vector<const RequestRecord*> by_request = ByRequest(records, total);
  std::vector<Comparison> out;
  size_t next = 0;
  for (size_t s = 0; s < run.stages.size(); ++s) {
    std::vector<Stamps> simulated;
    for (const size_t end = next + static_cast<size_t>(run.stages[s].requests()); next < end;
         ++next) {
      if (by_request[next] != nullptr) simulated.push_back(StampsOf(*by_request[next]));
    }
    out.push_back(CompareStage(run, s, simulated));
  }
  return out;
}

std::vector<Comparison> Compare(const Truth& truth, const std::vector<RequestRecord>& records) {
  return std::visit([&](const auto& run) { return Compare(run, records); }, truth);
}

}  // namespace tokensim::accuracy
