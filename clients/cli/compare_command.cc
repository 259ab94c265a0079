// `tokensim compare`: two results side by side, and whether the second is worse.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "clients/cli/commands.h"
#include "clients/cli/comparison.h"
#include "clients/cli/criteria.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/junit.h"
#include "clients/cli/message_diff.h"
#include "clients/cli/printable.h"
#include "clients/cli/search_options.h"
#include "clients/cli/subject.h"
#include "clients/cli/talk.h"
#include "clients/cli/units.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim compare before.yaml after.yaml                 runs both here
  tokensim compare nightly-16 nightly-17                  on the server
  tokensim compare main.json branch.json --max-regression 2% --junit regressions.xml
  tokensim compare a.json b.json --metrics ttft.p99,goodput,cost.dollars_per_million_output_tokens
A and B are reports (of `tokensim run -o json`), simulations (of `tokensim get -o json`, or by name on
the server), or specs, which are run here. Latencies, cost and rejections should fall; throughput,
goodput and attainment rise.)";

struct CompareOptions {
  std::string a;
  std::string b;
  std::vector<std::string> metrics;
  double max_regression = 0;
  bool gate = false;
  bool all = false;
  std::string junit_file;
  TableOptions table;
  ServerOptions server;
  TalkOptions talk;
};

bool MetricsAreKnown(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::vector<Metric> known = MetricsFor(name);
    if (FindMetric(known, name) != nullptr) continue;
    const std::vector<std::string> near = NearestMetrics(known, name);
    PrintError("--metrics: unknown metric '" + name + "'" +
               (near.empty() ? "" : "; nearest: " + near.front()));
    return false;
  }
  return true;
}

std::string ChangeText(const MetricChange& change) {
  const std::optional<double> relative = RelativeChange(change);
  if (!relative) return "";
  return *relative == 0 ? "0 %" : absl::StrFormat("%+.2f %%", 100 * *relative);
}

const char* Judgement(const MetricChange& change) {
  const double worse = Worsening(change);
  return worse > 0 ? "worse" : worse < 0 ? "better" : "";
}

ResultTable MakeTable(const std::vector<MetricChange>& changes, bool all, bool exact) {
  ResultTable table({{.name = "metric"},
                     {.name = "a"},
                     {.name = "b"},
                     {.name = "change"},
                     {.name = "judgement"}});
  for (const MetricChange& change : changes) {
    const std::optional<double> relative = RelativeChange(change);
    const bool same = change.a.value == change.b.value;
    if (same && !all) continue;
    if (exact) {
      table.AddRow({Cell::Text(change.a.name()), Cell::Number(change.a.value),
                    Cell::Number(change.b.value), Cell::Number(relative),
                    Cell::Text(Judgement(change))});
      continue;
    }
    table.AddRow({Cell::Text(change.a.name()), Cell::Text(FormatMetric(change.a)),
                  Cell::Text(FormatMetric(change.b)), Cell::Text(ChangeText(change)),
                  Cell::Text(Judgement(change))});
  }
  return table;
}

// What differs between the specifications, to stderr; names and traces' rows aside.
void TellSpecDifferences(const Subject& a, const Subject& b) {
  constexpr size_t kMost = 20;
  if (!a.spec || !b.spec) return;
  std::vector<FieldDifference> found = DiffMessages(*a.spec, *b.spec);
  std::erase_if(found, [](const FieldDifference& d) {
    return d.path == "name" || d.path == "description" || d.path.starts_with("workload.trace.rows");
  });
  if (found.empty()) {
    std::cerr << "the specs are the same\n";
    return;
  }
  std::cerr << "the specs differ:\n";
  for (size_t i = 0; i < std::min(found.size(), kMost); ++i) {
    const auto text = [](const std::string& value) {
      return value.empty() ? std::string("(nothing)") : Printable(value);
    };
    std::cerr << "  " << found[i].path << ": " << text(found[i].a) << " -> " << text(found[i].b)
              << '\n';
  }
  if (found.size() > kMost) std::cerr << "  and " << found.size() - kMost << " more fields\n";
}

std::vector<AssertionResult> Gate(const std::vector<MetricChange>& changes, double most) {
  std::vector<AssertionResult> results;
  for (const MetricChange& change : changes) {
    if (change.direction == Direction::kNeither) continue;
    AssertionResult result;
    result.text = absl::StrCat(change.a.name(), " at most ", FormatPercent(most), " worse");
    result.holds = Worsening(change) <= most;
    result.measured = absl::StrCat(FormatMetric(change.a), " -> ", FormatMetric(change.b),
                                   ChangeText(change).empty() ? "" : ", ", ChangeText(change));
    results.push_back(std::move(result));
  }
  return results;
}

ExitCode TellGate(const CompareOptions& options, const std::vector<MetricChange>& changes) {
  const std::vector<AssertionResult> results = Gate(changes, options.max_regression);
  bool holds = true;
  for (const AssertionResult& result : results) {
    if (result.holds) continue;
    holds = false;
    std::cerr << "worse: " << result.text << ": " << result.measured << '\n';
  }
  if (!options.junit_file.empty()) {
    std::ofstream file(options.junit_file);
    WriteJunit({.suite = "compare " + options.a + " " + options.b, .assertions = results}, file);
    file.flush();
    if (!file) {
      PrintError("cannot write " + options.junit_file);
      return ExitCode::kUsage;
    }
  }
  return holds || !options.gate ? ExitCode::kOk : ExitCode::kAssertionMissed;
}

ExitCode CodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
      return ExitCode::kInterrupted;
    case absl::StatusCode::kUnavailable:
      return ExitCode::kUnreachable;
    case absl::StatusCode::kInvalidArgument:
      return ExitCode::kUsage;
    default:
      return ExitCode::kRunFailed;
  }
}

ExitCode RunCompare(const CompareOptions& options) {
  if (!MetricsAreKnown(options.metrics)) return ExitCode::kUsage;
  Interrupt interrupt;
  const auto stop = [&] { return interrupt.requested(); };
  std::vector<Subject> subjects;
  for (const std::string& name : {options.a, options.b}) {
    absl::StatusOr<Subject> subject = LoadSubject(name, options.server, options.talk.quiet, stop);
    if (!subject.ok()) {
      PrintError(std::string(subject.status().message()));
      return CodeOf(subject.status());
    }
    subjects.push_back(*std::move(subject));
  }
  const std::vector<MetricChange> changes =
      CompareReports(subjects[0].report, subjects[1].report, options.metrics);
  const TableFormat format = options.table.format;
  const bool exact = format == TableFormat::kCsv || format == TableFormat::kJson;
  const ResultTable table = MakeTable(changes, options.all || !options.metrics.empty(), exact);
  if (!options.talk.quiet) TellSpecDifferences(subjects[0], subjects[1]);
  if (table.rows().empty() && format == TableFormat::kTable) {
    std::cout << "every metric is the same\n";
  } else {
    table.Print(format, std::cout);
  }
  return TellGate(options, changes);
}

}  // namespace

void AddCompareCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* command = app.add_subcommand("compare", "Compare two results, metric by metric");
  command->footer(kExamples);
  command->add_option("a", options->a, "A report, a simulation or a spec")
      ->required()
      ->option_text("A");
  command->add_option("b", options->b, "What is compared with it")->required()->option_text("B");
  command->add_option("--metrics", options->metrics, "Only these, as ttft.p99,goodput")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("METRIC,...");
  command
      ->add_option_function<double>(
          "--max-regression",
          [options](double share) {
            options->max_regression = share;
            options->gate = true;
          },
          "Exit with 4 when a metric is worse by more than that, as 2%")
      ->transform(Share(true))
      ->option_text("SHARE");
  command->add_flag("--all", options->all, "Also what is the same");
  command->add_option("--junit", options->junit_file, "Write the verdicts as JUnit XML")
      ->option_text("FILE.xml");
  AddTableFormatOption(command, &options->table);
  AddServerOptions(command, &options->server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunCompare(*options); });
}

}  // namespace tokensim::cli
