#include "clients/cli/markdown_output.h"

#include <algorithm>
#include <ostream>
#include <string>

#include "clients/cli/printable.h"
#include "clients/cli/units.h"

namespace tokensim::cli {

namespace {

// Text of a user, where it cannot begin or end anything: a table cell, a link, HTML.
std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : Printable(text)) {
    if (std::string_view("\\`*_[]<>|#&~").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

void WriteLatencies(const v1::Report& report, std::ostream& out) {
  out << "| | mean | p50 | p90 | p99 | max |\n|---|--:|--:|--:|--:|--:|\n";
  const auto row = [&out](const char* name, const v1::Distribution& d) {
    if (d.count() == 0) return;
    out << "| " << name;
    for (const double value : {d.mean(), d.p50(), d.p90(), d.p99(), d.max()}) {
      out << " | " << FormatSeconds(value);
    }
    out << " |\n";
  };
  row("TTFT", report.ttft_seconds());
  row("TPOT", report.tpot_seconds());
  row("E2E", report.e2e_seconds());
  row("Queueing", report.queueing_seconds());
  row("Decode queueing", report.decode_queueing_seconds());
  row("Max ITL", report.max_itl_seconds());
}

}  // namespace

void WriteReportMarkdown(const v1::Report& report, std::ostream& out) {
  out << "### " << Escaped(report.spec_name()) << "\n\n";
  WriteLatencies(report, out);
  const v1::RequestCounts& n = report.requests();
  const int64_t rejected =
      n.rejected_max_model_len() + n.rejected_kv_capacity() + n.rejected_no_worker();
  const v1::Throughput& t = report.throughput();
  out << "\n- " << FormatCount(n.finished()) << " of " << FormatCount(n.total())
      << " requests finished, " << FormatCount(rejected) << " rejected, "
      << FormatCount(n.preemptions()) << " preemptions\n- " << FormatNumber(t.requests_per_second())
      << " requests/s, " << FormatNumber(t.input_tokens_per_second()) << " input tokens/s, "
      << FormatNumber(t.output_tokens_per_second()) << " output tokens/s\n";
  if (report.has_slo()) {
    out << "- " << FormatPercent(report.slo().attainment()) << " within the SLO; goodput "
        << FormatNumber(report.slo().goodput_requests_per_second()) << " requests/s\n";
  }
  if (report.has_cost()) {
    out << "- $" << FormatNumber(report.cost().dollars_per_hour()) << " per hour";
    if (report.cost().has_dollars_per_million_output_tokens()) {
      out << ", $" << FormatNumber(report.cost().dollars_per_million_output_tokens())
          << " per million output tokens";
    }
    out << '\n';
  }
  for (const std::string& note : report.notes()) out << "- Note: " << Escaped(note) << '\n';
  out << "\nTokenSim engine " << Escaped(report.engine_version()) << ", seed " << report.seed()
      << "\n\n";
}

void WriteMarkdownSummary(const v1::Report& report, std::vector<AssertionResult> assertions,
                          std::ostream& out) {
  if (!assertions.empty()) {
    std::stable_partition(assertions.begin(), assertions.end(),
                          [](const AssertionResult& result) { return !result.holds; });
    out << "| assertion | | measured |\n|---|---|---|\n";
    for (const AssertionResult& result : assertions) {
      out << "| " << Escaped(result.text) << " | " << (result.holds ? "holds" : "**missed**")
          << " | " << Escaped(result.measured) << " |\n";
    }
    out << '\n';
  }
  WriteReportMarkdown(report, out);
}

}  // namespace tokensim::cli
