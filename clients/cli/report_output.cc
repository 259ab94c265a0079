#include "clients/cli/report_output.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "clients/cli/json.h"
#include "clients/cli/markdown_output.h"
#include "clients/cli/metrics.h"
#include "clients/cli/openmetrics_output.h"
#include "clients/cli/printable.h"
#include "clients/cli/sparkline.h"
#include "clients/cli/terminal.h"
#include "clients/cli/text_table.h"
#include "clients/cli/units.h"
#include "engine/report/export.h"

namespace tokensim::cli {

namespace {

constexpr int kMaxWorkerRows = 16;
constexpr int kMaxLinkRows = 16;
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
  out << (style.color ? "\033[1m" : "") << Printable(report.spec_name())
      << (style.color ? "\033[0m" : "") << "  (seed " << report.seed() << ", engine "
      << report.engine_version() << ")\n\n";
  const v1::RequestCounts& n = report.requests();
  out << "Requests    " << FormatCount(n.total()) << " total, " << FormatCount(n.finished())
      << " finished";
  if (n.rejected_max_model_len() > 0) {
    out << ", " << FormatCount(n.rejected_max_model_len()) << " rejected (max_model_len)";
  }
  if (n.rejected_kv_capacity() > 0) {
    out << ", " << FormatCount(n.rejected_kv_capacity()) << " rejected (KV capacity)";
  }
  if (n.rejected_no_worker() > 0) {
    out << ", " << FormatCount(n.rejected_no_worker()) << " rejected (no worker)";
  }
  if (n.unfinished() > 0) out << ", " << FormatCount(n.unfinished()) << " unfinished";
  out << "; " << FormatCount(n.preemptions()) << " preemptions\n";
  if (report.has_window()) {
    const v1::WindowReport& window = report.window();
    out << "Window      " << FormatSeconds(window.start_seconds()) << " to "
        << (window.has_end_seconds() ? FormatSeconds(window.end_seconds()) : "the end") << ": "
        << FormatCount(window.finished()) << " of them finished, " << FormatCount(window.rejected())
        << " rejected; the figures below are theirs\n";
  }
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
  if (report.decode_queueing_seconds().count() > 0) {
    AddDistribution("Decode queueing", report.decode_queueing_seconds(), FormatSeconds, &table);
  }
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

void WriteClasses(const v1::Report& report, std::ostream& out) {
  if (report.classes_size() == 0) return;
  TextTable table({Align::kLeft, Align::kRight, Align::kRight, Align::kRight, Align::kRight,
                   Align::kRight, Align::kRight, Align::kRight, Align::kRight, Align::kRight});
  table.AddRow({"Class", "priority", "finished", "rejected", "TTFT p50", "p99", "TPOT p50", "p99",
                "E2E p99", report.has_slo() ? "SLO" : ""});
  for (const v1::ClassReport& c : report.classes()) {
    const auto seconds = [](const v1::Distribution& d, double value) {
      return d.count() > 0 ? FormatSeconds(value) : "-";
    };
    std::string slo;
    if (report.has_slo()) slo = c.has_slo() ? FormatPercent(c.slo().attainment()) : "-";
    table.AddRow({c.name(), FormatCount(c.priority()), FormatCount(c.finished()),
                  FormatCount(c.rejected()), seconds(c.ttft_seconds(), c.ttft_seconds().p50()),
                  seconds(c.ttft_seconds(), c.ttft_seconds().p99()),
                  seconds(c.tpot_seconds(), c.tpot_seconds().p50()),
                  seconds(c.tpot_seconds(), c.tpot_seconds().p99()),
                  seconds(c.e2e_seconds(), c.e2e_seconds().p99()), slo});
  }
  out << '\n';
  table.Print(out);
}

void WriteCache(const v1::Report& report, std::ostream& out) {
  if (!report.has_cache()) return;
  const v1::CacheReport& cache = report.cache();
  out << "\nCache       " << FormatPercent(cache.hit_ratio()) << " of input tokens were cached ("
      << FormatCount(cache.cached_tokens()) << " of " << FormatCount(cache.input_tokens()) << ")\n";
  if (cache.pool_max_bytes() == 0 && cache.pool_hit_tokens() == 0) return;
  out << "            memory pool: " << FormatCount(cache.pool_hit_tokens()) << " tokens fetched, "
      << FormatCount(cache.pool_evicted_tokens()) << " evicted, at most "
      << FormatBytes(cache.pool_max_bytes()) << '\n';
}

void WriteCost(const v1::Report& report, std::ostream& out) {
  if (report.has_cost()) {
    const v1::CostReport& cost = report.cost();
    out << "\nCost        $" << FormatNumber(cost.dollars_per_hour()) << " per hour";
    if (cost.has_dollars_per_million_output_tokens()) {
      out << "; $" << FormatNumber(cost.dollars_per_million_output_tokens())
          << " per million output tokens, $" << FormatNumber(cost.dollars_per_million_tokens())
          << " per million in and out; " << FormatNumber(cost.requests_per_dollar())
          << " requests per $";
    }
    out << "; the run $" << FormatNumber(cost.dollars()) << '\n';
  }
  if (!report.has_energy()) return;
  const v1::EnergyReport& energy = report.energy();
  out << (report.has_cost() ? "" : "\n") << "Energy      at most "
      << FormatNumber(energy.max_watts()) << " W of devices";
  if (energy.has_max_joules_per_output_token()) {
    out << ", " << FormatNumber(energy.max_joules_per_output_token()) << " J per output token";
  }
  out << "; the run " << FormatNumber(energy.max_kilowatt_hours()) << " kWh\n";
}

void WriteLinks(const v1::TransferReport& transfers, std::ostream& out) {
  if (transfers.links_size() == 0) return;
  std::vector<const v1::LinkReport*> links;  // the fullest first
  for (const v1::LinkReport& link : transfers.links()) links.push_back(&link);
  std::stable_sort(links.begin(), links.end(), [](const auto* a, const auto* b) {
    return a->utilization() > b->utilization();
  });
  TextTable table({Align::kLeft, Align::kRight, Align::kRight, Align::kRight, Align::kRight});
  table.AddRow({"Link", "transfers", "carried", "busy", "used"});
  const int shown = std::min(transfers.links_size(), kMaxLinkRows);
  for (int i = 0; i < shown; ++i) {
    const v1::LinkReport& link = *links[static_cast<size_t>(i)];
    table.AddRow({link.name(), FormatCount(link.transfers()), FormatBytes(link.bytes()),
                  FormatSeconds(link.busy_seconds()), FormatPercent(link.utilization())});
  }
  table.Print(out);
  if (transfers.links_size() > shown) {
    out << "... and " << FormatCount(transfers.links_size() - shown) << " more links\n";
  }
}

void WriteTransfers(const v1::Report& report, std::ostream& out) {
  if (!report.has_transfers()) return;
  const v1::TransferReport& transfers = report.transfers();
  const v1::Distribution& kv = transfers.kv_transfer_seconds();
  out << "\nTransfers   " << FormatCount(kv.count()) << " requests' KV caches moved";
  if (kv.count() > 0) {
    out << " (mean " << FormatSeconds(kv.mean()) << ", p99 " << FormatSeconds(kv.p99()) << ')';
  }
  out << "; " << FormatCount(transfers.migrations()) << " migrations, "
      << FormatCount(transfers.redispatched()) << " lost their worker\n";
  WriteLinks(transfers, out);
}

// A column of the worker table.
struct WorkerColumn {
  const char* title;
  Align align;
  std::function<std::string(const v1::WorkerReport&)> text;
};

template <typename Has>
bool AnyWorker(const v1::Report& report, Has has) {
  return std::any_of(report.workers().begin(), report.workers().end(), has);
}

// Columns that only some clusters need, after the hardware.
std::vector<WorkerColumn> PlaceColumns(const v1::Report& report) {
  using W = const v1::WorkerReport&;
  std::vector<WorkerColumn> columns;
  const bool roles = AnyWorker(report, [](W w) { return !w.role().empty(); });
  if (roles) columns.push_back({"role", Align::kLeft, [](W w) { return w.role(); }});
  if (AnyWorker(report, [](W w) { return w.node() > 0; })) {
    columns.push_back({"node", Align::kRight, [](W w) { return FormatCount(w.node()); }});
  }
  if (AnyWorker(report, [](W w) { return w.prefilled() > 0; })) {
    columns.push_back({"prefilled", Align::kRight, [](W w) { return FormatCount(w.prefilled()); }});
  }
  return columns;
}

// And those at the end.
std::vector<WorkerColumn> TierColumns(const v1::Report& report) {
  using W = const v1::WorkerReport&;
  std::vector<WorkerColumn> columns;
  if (AnyWorker(report, [](W w) { return w.mean_held() > 0; })) {
    columns.push_back({"held", Align::kRight, [](W w) { return FormatNumber(w.mean_held()); }});
  }
  if (AnyWorker(report, [](W w) { return w.host_bytes_total() > 0; })) {
    columns.push_back(
        {"swapped out", Align::kRight, [](W w) { return FormatBytes(w.swapped_out_bytes()); }});
    columns.push_back(
        {"host (max)", Align::kRight, [](W w) { return FormatBytes(w.max_host_bytes_used()); }});
  }
  if (AnyWorker(report, [](W w) { return w.unavailable_seconds() > 0; })) {
    columns.push_back(
        {"unavailable", Align::kRight, [](W w) { return FormatSeconds(w.unavailable_seconds()); }});
  }
  return columns;
}

std::vector<WorkerColumn> WorkerColumns(const v1::Report& report) {
  using W = const v1::WorkerReport&;
  std::vector<WorkerColumn> columns = {
      {"Worker", Align::kLeft, [](W w) { return w.name(); }},
      {"hardware", Align::kLeft, [](W w) { return w.hardware(); }}};
  for (WorkerColumn& column : PlaceColumns(report)) columns.push_back(std::move(column));
  const WorkerColumn always[] = {
      {"requests", Align::kRight, [](W w) { return FormatCount(w.requests()); }},
      {"iterations", Align::kRight, [](W w) { return FormatCount(w.iterations()); }},
      {"busy", Align::kRight, [](W w) { return FormatPercent(w.utilization()); }},
      {"running", Align::kRight, [](W w) { return FormatNumber(w.mean_running()); }},
      {"(max)", Align::kRight, [](W w) { return FormatCount(w.max_running()); }},
      {"KV used", Align::kRight, [](W w) { return FormatPercent(w.mean_kv_utilization()); }},
      {"(max)", Align::kRight,
       [](W w) {
         const double blocks = static_cast<double>(std::max<int64_t>(1, w.kv_blocks_total()));
         return FormatPercent(static_cast<double>(w.max_kv_blocks_used()) / blocks);
       }},
      {"preempted", Align::kRight, [](W w) { return FormatCount(w.preemptions()); }}};
  columns.insert(columns.end(), std::begin(always), std::end(always));
  for (WorkerColumn& column : TierColumns(report)) columns.push_back(std::move(column));
  return columns;
}

void WriteWorkers(const v1::Report& report, std::ostream& out) {
  const std::vector<WorkerColumn> columns = WorkerColumns(report);
  std::vector<Align> alignments;
  std::vector<std::string> titles;
  for (const WorkerColumn& column : columns) {
    alignments.push_back(column.align);
    titles.push_back(column.title);
  }
  TextTable table(std::move(alignments));
  table.AddRow(std::move(titles));
  const int shown = std::min(report.workers_size(), kMaxWorkerRows);
  for (int i = 0; i < shown; ++i) {
    std::vector<std::string> row;
    for (const WorkerColumn& column : columns) row.push_back(column.text(report.workers(i)));
    table.AddRow(std::move(row));
  }
  out << '\n';
  table.Print(out);
  if (report.workers_size() > shown) {
    out << "... and " << FormatCount(report.workers_size() - shown) << " more workers\n";
  }
}

// "kernel surface: ..., fitted, 4.8 %".
std::string SourceText(const v1::OperatorSource& op) {
  std::string text = op.source();
  if (!op.confidence().empty()) text += ", " + op.confidence();
  if (op.has_error()) text += ", " + FormatPercent(op.error());
  return text;
}

// The time of each operator, where it was asked for.
void WriteOperators(const v1::Report& report, std::ostream& out) {
  for (const v1::WorkerReport& worker : report.workers()) {
    double sum = 0;
    for (const v1::OperatorSource& op : worker.operators()) sum += op.seconds_per_iteration();
    if (sum <= 0) continue;
    out << "\nIterations of " << worker.name() << " and its like\n";
    TextTable table({Align::kLeft, Align::kRight, Align::kRight, Align::kLeft});
    table.AddRow({"operator", "per iteration", "share", "priced by, confidence, expected error"});
    for (const v1::OperatorSource& op : worker.operators()) {
      table.AddRow({op.name(), FormatSeconds(op.seconds_per_iteration()),
                    FormatPercent(op.seconds_per_iteration() / sum), SourceText(op)});
    }
    table.AddRow({"all", FormatSeconds(sum), "", ""});
    table.Print(out);
  }
}

// Which sources priced how many operators, when it was more than the plain roofline.
void WriteSources(const v1::Report& report, std::ostream& out) {
  for (const v1::WorkerReport& worker : report.workers()) {
    std::vector<std::pair<std::string, int>> counts;
    bool plain = true;
    for (const v1::OperatorSource& op : worker.operators()) {
      plain = plain && (op.source() == "roofline" || op.source() == "interconnect" ||
                        op.source() == "formula");
      const auto found = std::find_if(counts.begin(), counts.end(), [&](const auto& entry) {
        return entry.first == SourceText(op);
      });
      if (found == counts.end()) {
        counts.emplace_back(SourceText(op), 1);
      } else {
        ++found->second;
      }
    }
    if (plain) continue;
    out << "\nOperators of " << worker.name() << " and its like are priced by\n";
    for (const auto& [source, count] : counts) {
      out << "  " << source << " (" << count << " of " << worker.operators_size() << ")\n";
    }
  }
}

// Sums of a series over all workers. Intervals double in width as a worker's time goes on: those of
// a worker that ran for less of the time are merged.
template <typename Series>
std::vector<double> Total(const v1::Report& report, Series series) {
  double width = 0;
  for (const v1::WorkerReport& worker : report.workers()) {
    width = std::max(width, worker.timeline().interval_seconds());
  }
  std::vector<double> total;
  for (const v1::WorkerReport& worker : report.workers()) {
    const auto& values = series(worker.timeline());
    const double own = worker.timeline().interval_seconds();
    const int merged = own > 0 ? static_cast<int>(std::lround(width / own)) : 1;
    total.resize(std::max(total.size(), static_cast<size_t>((values.size() + merged - 1) / merged)),
                 0);
    for (int i = 0; i < values.size(); ++i) {
      total[static_cast<size_t>(i / merged)] += values[i] / merged;
    }
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
  const auto bytes = [&](const char* name, const std::vector<double>& values) {
    const double top = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
    if (top > 0) line(name, values, 0, "peak " + FormatBytes(std::llround(top)));
  };
  const auto states = [&](const char* name, const std::vector<double>& values) {
    if (!values.empty()) line(name, values, 0, peak(values));
  };
  states("  loading  ", Total(
                            report, [](const auto& t) -> const auto& { return t.loading(); }));
  states("  held     ", Total(
                            report, [](const auto& t) -> const auto& { return t.held(); }));
  bytes("  host     ", Total(
                           report, [](const auto& t) -> const auto& { return t.host_bytes(); }));
  bytes("  pool     ", {report.cache().pool_bytes().begin(), report.cache().pool_bytes().end()});
}

void WriteFooter(const v1::Report& report, const ReportStyle& style, std::ostream& out) {
  if (report.notes_size() > 0) out << '\n';
  for (const std::string& note : report.notes()) {
    out << (style.color ? "\033[33m" : "") << "Note: " << Printable(note)
        << (style.color ? "\033[0m" : "") << '\n';
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
  WriteClasses(report, out);
  WriteCache(report, out);
  WriteTransfers(report, out);
  WriteCost(report, out);
  WriteWorkers(report, out);
  WriteSources(report, out);
  WriteOperators(report, out);
  WriteTimelines(report, style, out);
  WriteFooter(report, style, out);
}

void WriteReportCsv(const v1::Report& report, std::ostream& out) {
  out << "metric,stat,value\n";
  for (const Metric& metric : ListMetrics(report)) {
    if (!metric.value) continue;
    out << CsvCell(metric.metric) << ',' << metric.statistic << ',' << FormatExact(*metric.value)
        << '\n';
  }
}

void PrintReportTable(const v1::Report& report) {
  WriteReportTable(report, {StdoutHasColor(), StdoutHasUtf8()}, std::cout);
}

void PrintReportJson(const v1::Report& report) { PrintJson(report); }

void PrintReportCsv(const v1::Report& report) { WriteReportCsv(report, std::cout); }

void PrintReportMarkdown(const v1::Report& report) { WriteReportMarkdown(report, std::cout); }

void PrintReportOpenMetrics(const v1::Report& report) { WriteOpenMetrics(report, std::cout); }

const ReportFormat* FindReportFormat(std::string_view name) {
  const auto* found = std::find_if(std::begin(kReportFormats), std::end(kReportFormats),
                                   [name](const ReportFormat& f) { return name == f.name; });
  return found == std::end(kReportFormats) ? nullptr : found;
}

}  // namespace tokensim::cli
