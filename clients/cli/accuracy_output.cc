#include "clients/cli/accuracy_output.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "clients/cli/text_table.h"
#include "clients/cli/units.h"
#include "engine/report/export.h"

namespace tokensim::cli {

namespace {

using accuracy::Comparison;
using accuracy::Figure;
using accuracy::MetricComparison;

constexpr char kThroughput[] = "throughput";
constexpr const char* kStatistics[] = {"mean", "p50", "p90", "p99"};

std::string Title(const std::string& metric) {
  static constexpr std::pair<const char*, const char*> kTitles[] = {
      {"ttft", "TTFT"}, {"ttft_queued", "TTFT from queued"}, {"tpot", "TPOT"},
      {"e2e", "E2E"},   {"e2e_queued", "E2E from queued"},   {kThroughput, "Throughput"}};
  for (const auto& [name, title] : kTitles) {
    if (metric == name) return title;
  }
  return metric;
}

const Figure* FindFigure(const MetricComparison& metric, const std::string& statistic) {
  for (const Figure& figure : metric.figures) {
    if (figure.statistic == statistic) return &figure;
  }
  return nullptr;
}

// "-3.5 %", two digits where it is small.
std::string SignedPercent(double share) {
  char text[32];
  std::snprintf(text, sizeof(text), std::abs(share) < 0.1 ? "%+.2f %%" : "%+.1f %%", share * 100);
  return text;
}

// Statistics of latencies that the truth has.
std::vector<const char*> StatisticsOf(const Comparison& comparison) {
  std::vector<const char*> present;
  for (const char* statistic : kStatistics) {
    if (std::any_of(
            comparison.metrics.begin(), comparison.metrics.end(),
            [&](const MetricComparison& m) { return FindFigure(m, statistic) != nullptr; })) {
      present.push_back(statistic);
    }
  }
  return present;
}

// A row for each latency, a column for each statistic; `cell` fills in those the truth has.
template <typename Cell>
void WriteLatencies(const Comparison& comparison, const char* title, Cell cell, bool by_request,
                    std::ostream& out) {
  const std::vector<const char*> statistics = StatisticsOf(comparison);
  std::vector<Align> alignments(statistics.size() + 3, Align::kRight);
  alignments[0] = Align::kLeft;
  TextTable table(std::move(alignments));
  std::vector<std::string> titles = {title};
  titles.insert(titles.end(), statistics.begin(), statistics.end());
  if (by_request) titles.insert(titles.end(), {"each: mean", "median"});
  table.AddRow(std::move(titles));
  for (const MetricComparison& metric : comparison.metrics) {
    if (metric.metric == kThroughput) continue;
    std::vector<std::string> row = {Title(metric.metric)};
    for (const char* statistic : statistics) {
      const Figure* figure = FindFigure(metric, statistic);
      row.push_back(figure == nullptr ? "" : cell(*figure));
    }
    if (by_request && metric.mape) row.push_back(FormatPercent(*metric.mape));
    if (by_request && metric.median_ape) row.push_back(FormatPercent(*metric.median_ape));
    table.AddRow(std::move(row));
  }
  out << '\n';
  table.Print(out);
}

void WriteErrors(const Comparison& comparison, std::ostream& out) {
  const bool by_request = std::any_of(comparison.metrics.begin(), comparison.metrics.end(),
                                      [](const MetricComparison& m) { return m.mape.has_value(); });
  WriteLatencies(
      comparison, "Error", [](const Figure& f) { return SignedPercent(f.error()); }, by_request,
      out);
}

void WriteValues(const Comparison& comparison, std::ostream& out) {
  const auto both = [](const Figure& figure) {
    return FormatSeconds(figure.measured) + ", " + FormatSeconds(figure.simulated);
  };
  WriteLatencies(comparison, "Measured, simulated", both, false, out);
}

void WriteThroughput(const Comparison& comparison, std::ostream& out) {
  for (const MetricComparison& metric : comparison.metrics) {
    if (metric.metric != kThroughput) continue;
    const Figure& requests = metric.figures[0];
    const Figure& tokens = metric.figures[1];
    out << "Throughput  " << SignedPercent(requests.error()) << " requests/s ("
        << FormatNumber(requests.measured) << " measured, " << FormatNumber(requests.simulated)
        << " simulated), " << SignedPercent(tokens.error()) << " output tokens/s\n";
  }
}

std::string KeepsUp(bool saturated) { return saturated ? "saturated" : "keeps up"; }

// The header of a comparison, and what is special about it.
void WriteHead(const Comparison& comparison, std::ostream& out) {
  out << FormatCount(comparison.requests) << " requests compared";
  if (comparison.not_simulated > 0) {
    out << "; " << FormatCount(comparison.not_simulated)
        << " were rejected or did not finish in the simulation";
  }
  out << '\n';
  if (comparison.saturation) {
    out << "Offered     " << FormatNumber(comparison.saturation->offered_per_second)
        << " requests/s: measured " << KeepsUp(comparison.saturation->measured) << ", simulated "
        << KeepsUp(comparison.saturation->simulated) << '\n';
  }
  if (comparison.overloaded) {
    out << "Clients gave up in the measured stage: its figures are not comparable\n";
  }
}

nlohmann::ordered_json ToJson(const MetricComparison& metric) {
  nlohmann::ordered_json out;
  for (const Figure& figure : metric.figures) {
    out[figure.statistic] = {
        {"measured", figure.measured}, {"simulated", figure.simulated}, {"error", figure.error()}};
  }
  if (metric.mape) out["mape"] = *metric.mape;
  if (metric.median_ape) out["median_ape"] = *metric.median_ape;
  return out;
}

nlohmann::ordered_json ToJson(const Comparison& comparison) {
  nlohmann::ordered_json out = {{"name", comparison.name},
                                {"requests", comparison.requests},
                                {"not_simulated", comparison.not_simulated}};
  if (comparison.saturation) {
    out["overloaded"] = comparison.overloaded;
    out["saturation"] = {{"offered_requests_per_second", comparison.saturation->offered_per_second},
                         {"measured", comparison.saturation->measured},
                         {"simulated", comparison.saturation->simulated}};
  }
  for (const MetricComparison& metric : comparison.metrics) {
    out["metrics"][metric.metric] = ToJson(metric);
  }
  return out;
}

// Keeps the greater value of a metric of that name.
void AddWorst(const Metric& metric, std::vector<Metric>* metrics) {
  const auto same = std::find_if(metrics->begin(), metrics->end(),
                                 [&](const Metric& m) { return m.name() == metric.name(); });
  if (same == metrics->end()) {
    metrics->push_back(metric);
  } else if (*metric.value > *same->value) {
    *same = metric;
  }
}

std::vector<Metric> MetricsOf(const Comparison& comparison) {
  std::vector<Metric> metrics;
  for (const MetricComparison& metric : comparison.metrics) {
    for (const Figure& figure : metric.figures) {
      metrics.push_back({metric.metric, figure.statistic, Unit::kRatio, std::abs(figure.error())});
    }
    if (metric.mape) metrics.push_back({metric.metric, "mape", Unit::kRatio, *metric.mape});
    if (metric.median_ape) {
      metrics.push_back({metric.metric, "median_ape", Unit::kRatio, *metric.median_ape});
    }
  }
  return metrics;
}

void WriteStamp(SimTime stamp, std::ostream& out) {
  out << ',';
  if (stamp != kUnset) out << FormatExact(ToSeconds(stamp));
}

void WriteBlockIds(const std::vector<int64_t>& ids, std::ostream& out) {
  for (size_t i = 0; i < ids.size(); ++i) out << (i > 0 ? " " : "") << ids[i];
}

}  // namespace

void WriteAccuracyTable(const AccuracyResult& result, std::ostream& out) {
  out << result.truth << " beside " << result.spec_name << ", replayed in "
      << FormatSeconds(result.wall_seconds) << '\n';
  for (const Comparison& comparison : result.comparisons) {
    out << '\n';
    if (comparison.saturation) out << comparison.name << ": ";
    WriteHead(comparison, out);
    if (!comparison.overloaded) {
      WriteThroughput(comparison, out);
      WriteErrors(comparison, out);
    }
    WriteValues(comparison, out);
  }
  for (const Comparison& comparison : result.noise) {
    out << "\nNoise: " << result.repeat << " served the same schedule once more\n";
    WriteThroughput(comparison, out);
    WriteErrors(comparison, out);
  }
}

void WriteAccuracyJson(const AccuracyResult& result, std::ostream& out) {
  nlohmann::ordered_json root = {{"spec", result.spec_name},
                                 {"spec_digest", result.spec_digest},
                                 {"truth", result.truth},
                                 {"replay_wall_seconds", result.wall_seconds}};
  root["comparisons"] = nlohmann::ordered_json::array();
  for (const Comparison& comparison : result.comparisons) {
    root["comparisons"].push_back(ToJson(comparison));
  }
  for (const Comparison& comparison : result.noise) {
    root["noise"] = ToJson(comparison);
    root["noise"]["name"] = result.repeat;
  }
  out << root.dump(2) << '\n';
}

std::vector<Metric> AccuracyMetrics(const AccuracyResult& result) {
  std::vector<Metric> metrics;
  std::vector<Metric> of_stages;
  double not_simulated = 0;
  double wrong = 0;
  for (const Comparison& comparison : result.comparisons) {
    not_simulated += static_cast<double>(comparison.not_simulated);
    const auto& saturation = comparison.saturation;
    if (saturation && saturation->measured != saturation->simulated) ++wrong;
    for (Metric& metric : MetricsOf(comparison)) {
      if (!comparison.overloaded) AddWorst(metric, &metrics);
      if (!saturation) continue;
      metric.metric = comparison.name + "." + metric.metric;
      of_stages.push_back(std::move(metric));
    }
  }
  metrics.insert(metrics.end(), of_stages.begin(), of_stages.end());
  metrics.push_back({"requests", "not_simulated", Unit::kNumber, not_simulated});
  metrics.push_back({"saturation", "wrong", Unit::kNumber, wrong});
  return metrics;
}

void WriteAccuracyRequests(const accuracy::MeasuredRun& run,
                           const std::vector<RequestRecord>& records, std::ostream& out) {
  std::vector<const RequestRecord*> simulated(run.requests.size());
  for (const RequestRecord& record : records) {
    simulated[static_cast<size_t>(record.request_id)] = &record;
  }
  out << "id,arrival_s,input_tokens,output_tokens,measured_queued_s,measured_scheduled_s,"
         "measured_first_token_s,measured_last_token_s,simulated_queued_s,simulated_scheduled_s,"
         "simulated_first_token_s,simulated_last_token_s,simulated_cached_tokens\n";
  for (size_t i = 0; i < run.requests.size(); ++i) {
    const accuracy::MeasuredRequest& request = run.requests[i];
    out << CsvCell(request.id) << ',' << FormatExact(ToSeconds(request.arrival)) << ','
        << request.input_tokens << ',' << request.output_tokens;
    WriteStamp(run.has_queued ? request.queued : kUnset, out);
    WriteStamp(run.has_scheduled ? request.scheduled : kUnset, out);
    WriteStamp(request.first_token, out);
    WriteStamp(request.last_token, out);
    const RequestRecord none;
    const RequestRecord& record = simulated[i] == nullptr ? none : *simulated[i];
    const bool finished = record.reject_reason == RejectReason::kNone;
    WriteStamp(record.queued, out);
    WriteStamp(record.scheduled, out);
    WriteStamp(record.first_token, out);
    WriteStamp(finished ? record.finish : kUnset, out);
    out << ',' << record.cached_tokens << '\n';
  }
}

void WriteEffectiveWorkload(const accuracy::MeasuredStages& run, uint64_t seed, std::ostream& out) {
  const accuracy::StagedWorkload sent = accuracy::EffectiveWorkload(run, seed);
  out << "id,stage,arrival_s,input_toks,output_toks,prompt_block16_ids\n";
  for (size_t i = 0; i < sent.requests.size(); ++i) {
    const accuracy::StagedRequest& request = sent.requests[i];
    const accuracy::StagedPrompt& prompt = sent.prompts[static_cast<size_t>(request.prompt)];
    out << i << ',' << request.stage << ',' << FormatExact(ToSeconds(request.arrival)) << ','
        << prompt.tokens << ',' << run.output_tokens << ',';
    WriteBlockIds(prompt.block_ids, out);
    out << '\n';
  }
}

}  // namespace tokensim::cli
