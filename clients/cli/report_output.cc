#include "clients/cli/report_output.h"

#include <algorithm>
#include <iostream>
#include <utility>
#include <vector>

#include "clients/cli/json.h"
#include "clients/cli/metrics.h"
#include "clients/cli/sparkline.h"
#include "clients/cli/terminal.h"
#include "clients/cli/text_table.h"
#include "clients/cli/units.h"

namespace tokensim::cli {

namespace {

constexpr int kMaxWorkerRows = 16;
constexpr size_t kSparklineWidth = 64;

const char* EndReasonText(v1::EndReason reason) {
  switch (reason) {
    case v1::END_REASON_MAX_SIMULATED_TIME:
      return ", stopped at stop.max_simulated_seconds";
    case v1::END_REASON_MAX_EVENTS:
      return ", stopped at stop.max_events";
    default:
      return "";
  }
}

void WriteHeader(const v1::Report& report, const ReportStyle& style, std::ostream& out) {
  out << (style.color ? "\033[1m" : "") << report.spec_name() << (style.color ? "\033[0m" : "")
      << "  (seed " << report.seed() << ", engine " << report.engine_version() << ")\n\n";
  const v1::RequestCounts& n = report.requests();
  out << "Requests    " << FormatCount(n.total()) << " total, " << FormatCount(n.finished())
      << " finished";
  if (n.rejected_max_model_len() > 0) {
    out << ", " << FormatCount(n.rejected_max_model_len()) << " rejected (max_model_len)";
  }
  if (n.rejected_kv_capacity() > 0) {
    out << ", " << FormatCount(n.rejected_kv_capacity()) << " rejected (KV capacity)";
  }
  if (n.unfinished() > 0) out << ", " << FormatCount(n.unfinished()) << " unfinished";
  out << "; " << FormatCount(n.preemptions()) << " preemptions\n";
  const v1::Throughput& t = report.throughput();
  out << "Throughput  " << FormatNumber(t.requests_per_second()) << " requests/s, "
      << FormatNumber(t.input_tokens_per_second()) << " input tokens/s, "
      << FormatNumber(t.output_tokens_per_second()) << " output tokens/s, over "
      << FormatSeconds(t.span_seconds()) << EndReasonText(report.end_reason()) << "\n";
}

template <typename FormatValue>
void AddDistribution(const std::string& name, const v1::Distribution& d, FormatValue format,
                     TextTable* table) {
  std::vector<std::string> row = {name};
  for (const double value : {d.mean(), d.p50(), d.p90(), d.p95(), d.p99(), d.max()}) {
    row.push_back(d.count() > 0 ? format(value) : "-");
  }
  table->AddRow(std::move(row));
}

void WriteDistributions(const v1::Report& report, std::ostream& out) {
  TextTable table({Align::kLeft, Align::kRight, Align::kRight, Align::kRight, Align::kRight,
                   Align::kRight, Align::kRight});
  table.AddRow({"", "mean", "p50", "p90", "p95", "p99", "max"});
  AddDistribution("TTFT", report.ttft_seconds(), FormatSeconds, &table);
  AddDistribution("TPOT", report.tpot_seconds(), FormatSeconds, &table);
  AddDistribution("E2E", report.e2e_seconds(), FormatSeconds, &table);
  AddDistribution("Queueing", report.queueing_seconds(), FormatSeconds, &table);
  AddDistribution("Normalized latency", report.normalized_latency_seconds(), FormatSeconds, &table);
  AddDistribution("Max ITL", report.max_itl_seconds(), FormatSeconds, &table);
  AddDistribution("Input tokens", report.input_tokens(), FormatNumber, &table);
  AddDistribution("Output tokens", report.output_tokens(), FormatNumber, &table);
  out << '\n';
  table.Print(out);
}

void WriteSlo(const v1::Report& report, std::ostream& out) {
  if (!report.has_slo()) return;
  const v1::SloReport& slo = report.slo();
  out << "\nSLO         " << FormatPercent(slo.attainment()) << " of requests meet it ("
      << FormatCount(slo.met()) << "); goodput " << FormatNumber(slo.goodput_requests_per_second())
      << " requests/s, " << FormatNumber(slo.goodput_output_tokens_per_second())
      << " output tokens/s\n";
  std::string each;
  const auto add = [&](bool present, const char* name, int64_t met) {
    if (!present) return;
    each +=
        (each.empty() ? "            met: " : ", ") + std::string(name) + " " + FormatCount(met);
  };
  add(slo.has_met_ttft(), "TTFT", slo.met_ttft());
  add(slo.has_met_tpot(), "TPOT", slo.met_tpot());
  add(slo.has_met_max_itl(), "max ITL", slo.met_max_itl());
  add(slo.has_met_e2e(), "E2E", slo.met_e2e());
  out << each << " of " << FormatCount(report.requests().finished()) << '\n';
}

void WriteWorkers(const v1::Report& report, std::ostream& out) {
  TextTable table({Align::kLeft, Align::kLeft, Align::kRight, Align::kRight, Align::kRight,
                   Align::kRight, Align::kRight, Align::kRight, Align::kRight, Align::kRight});
  table.AddRow({"Worker", "hardware", "requests", "iterations", "busy", "running", "(max)",
                "KV used", "(max)", "preempted"});
  const int shown = std::min(report.workers_size(), kMaxWorkerRows);
  for (int i = 0; i < shown; ++i) {
    const v1::WorkerReport& w = report.workers(i);
    const double blocks = static_cast<double>(std::max<int64_t>(1, w.kv_blocks_total()));
    table.AddRow({w.name(), w.hardware(), FormatCount(w.requests()), FormatCount(w.iterations()),
                  FormatPercent(w.utilization()), FormatNumber(w.mean_running()),
                  FormatCount(w.max_running()), FormatPercent(w.mean_kv_utilization()),
                  FormatPercent(static_cast<double>(w.max_kv_blocks_used()) / blocks),
                  FormatCount(w.preemptions())});
  }
  out << '\n';
  table.Print(out);
  if (report.workers_size() > shown) {
    out << "... and " << FormatCount(report.workers_size() - shown) << " more workers\n";
  }
}

// Sums of a series over all workers.
template <typename Series>
std::vector<double> Total(const v1::Report& report, Series series) {
  std::vector<double> total;
  for (const v1::WorkerReport& worker : report.workers()) {
    const auto& values = series(worker.timeline());
    total.resize(std::max(total.size(), static_cast<size_t>(values.size())), 0);
    for (int i = 0; i < values.size(); ++i) total[static_cast<size_t>(i)] += values[i];
  }
  return total;
}

void WriteTimelines(const v1::Report& report, const ReportStyle& style, std::ostream& out) {
  const auto running = Total(
      report, [](const auto& t) -> const auto& { return t.running(); });
  if (running.empty()) return;
  const auto waiting = Total(
      report, [](const auto& t) -> const auto& { return t.waiting(); });
  const auto kv = Total(
      report, [](const auto& t) -> const auto& { return t.kv_utilization(); });
  const auto line = [&](const char* name, const std::vector<double>& values, double top,
                        const std::string& peak) {
    out << name << '|' << Sparkline(values, kSparklineWidth, top, style.utf8) << "| " << peak
        << '\n';
  };
  const auto peak = [](const std::vector<double>& values) {
    return "peak " + FormatNumber(*std::max_element(values.begin(), values.end()));
  };
  const double workers = report.workers_size();
  out << "\nOver time\n";
  line("  running  ", running, 0, peak(running));
  line("  waiting  ", waiting, 0, peak(waiting));
  line("  KV used  ", kv, workers,
       "peak " + FormatPercent(*std::max_element(kv.begin(), kv.end()) / workers));
}

void WriteFooter(const v1::Report& report, const ReportStyle& style, std::ostream& out) {
  if (report.notes_size() > 0) out << '\n';
  for (const std::string& note : report.notes()) {
    out << (style.color ? "\033[33m" : "") << "Note: " << note << (style.color ? "\033[0m" : "")
        << '\n';
  }
  const v1::Execution& execution = report.execution();
  out << "\nSimulated " << FormatSeconds(report.simulated_seconds()) << " in "
      << FormatSeconds(execution.wall_seconds()) << " ("
      << FormatNumber(execution.requests_per_second()) << " requests/s)\n";
}

}  // namespace

void WriteReportTable(const v1::Report& report, const ReportStyle& style, std::ostream& out) {
  WriteHeader(report, style, out);
  WriteDistributions(report, out);
  WriteSlo(report, out);
  WriteWorkers(report, out);
  WriteTimelines(report, style, out);
  WriteFooter(report, style, out);
}

void WriteReportCsv(const v1::Report& report, std::ostream& out) {
  out << "metric,stat,value\n";
  for (const Metric& metric : ListMetrics(report)) {
    if (!metric.value) continue;
    out << metric.metric << ',' << metric.statistic << ',' << FormatExact(*metric.value) << '\n';
  }
}

void PrintReport(const v1::Report& report, Format format) {
  switch (format) {
    case Format::kTable:
      WriteReportTable(report, {StdoutHasColor(), StdoutHasUtf8()}, std::cout);
      break;
    case Format::kJson:
      PrintJson(report);
      break;
    case Format::kCsv:
      WriteReportCsv(report, std::cout);
      break;
  }
}

}  // namespace tokensim::cli
