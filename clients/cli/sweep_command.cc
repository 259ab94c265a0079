// `tokensim sweep`: a run for every point of a space, as one table.
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "clients/cli/assertion.h"
#include "clients/cli/commands.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/parallel.h"
#include "clients/cli/point_run.h"
#include "clients/cli/printable.h"
#include "clients/cli/progress_bar.h"
#include "clients/cli/search_options.h"
#include "clients/cli/spec_input.h"
#include "clients/cli/talk.h"
#include "clients/cli/units.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim sweep spec.yaml --vary 'workload.arrival.poisson.rate_per_second=1..64:x2'
  tokensim sweep spec.yaml --vary workers.gpu.count=1..8 --vary seed=1..5 -o csv > sweep.csv
  tokensim sweep spec.yaml --vary 'workers.prefill.count=1..7' --vary 'workers.decode.count=1..7' \
        --where 'prefill.count + decode.count == 8' --metrics goodput,ttft.p99
  tokensim sweep spec.yaml --variant 'device=h100: workers.gpu.hardware=h100-sxm' \
        --variant 'device=b200: workers.gpu.hardware=b200' --vary workload.num_requests=100,1000 \
        --rows workload.num_requests --columns device --value ttft.p99
Values: a,b,c; 1..8; 1..9:2 (by steps); 1..64:x2 (by a factor); 0..1:lin5; 1..100:log7; and, of a
  number that the spec has, x2, x0.5, /8. A point that makes no valid spec has its error in the table.
Metrics: as in --assert of `tokensim run`.)";

struct SweepOptions {
  SpecOptions spec;
  SpaceOptions space;
  std::vector<std::string> metrics;
  std::vector<std::string> assertions;
  size_t sample = 0;
  uint64_t sample_seed = 0;
  int threads = 1;
  TableOptions table;
  TalkOptions talk;
};

// What a table of runs has when nothing is asked for.
std::vector<std::string> DefaultMetrics() {
  return {"throughput.requests_per_second",
          "throughput.output_tokens_per_second",
          "ttft.p50",
          "ttft.p99",
          "tpot.p50",
          "tpot.p99",
          "e2e.p50",
          "slo.attainment",
          "goodput",
          "cost.dollars_per_million_output_tokens"};
}

// Each assertion that the run misses, with what was measured.
std::string Missed(const std::vector<Assertion>& assertions, const v1::Report& report) {
  std::string missed;
  for (const Assertion& assertion : assertions) {
    const AssertionResult result = Evaluate(assertion, report);
    if (result.holds) continue;
    absl::StrAppend(&missed, missed.empty() ? "" : "; ", result.text, " (", result.measured, ")");
  }
  return missed;
}

// What is kept of a run: a sweep may have many.
struct Row {
  std::string error;
  bool stopped = false;
  bool saturated = false;
  std::string missed;                         // assertions
  std::vector<std::optional<double>> values;  // by metric
};

Row MakeRow(const PointRun& run, const std::vector<std::string>& names,
            const std::vector<Assertion>& assertions) {
  Row row{.error = run.error, .stopped = run.stopped, .saturated = run.saturated};
  row.values.resize(names.size());
  if (!run.error.empty() || run.stopped) return row;
  row.missed = Missed(assertions, run.report);
  const std::vector<Metric> metrics = ListMetrics(run.report);
  for (size_t i = 0; i < names.size(); ++i) {
    const Metric* metric = FindMetric(metrics, names[i]);
    if (metric != nullptr) row.values[i] = metric->value;
  }
  return row;
}

// The points to run, and what to ask of them. Tells stderr what is wrong.
struct Sweep {
  SpecInput input;
  std::vector<std::string> axes;
  std::vector<search::Point> points;
  std::vector<std::string> metrics;
  bool all_metrics = false;  // those without a value, too
  std::vector<Assertion> assertions;
};

ExitCode Read(const SweepOptions& options, Sweep* sweep) {
  sweep->all_metrics = !options.metrics.empty();
  sweep->metrics = sweep->all_metrics ? options.metrics : DefaultMetrics();
  for (const std::string& name : options.metrics) {
    const std::vector<Metric> known = MetricsFor(name);
    if (FindMetric(known, name) != nullptr) continue;
    const std::vector<std::string> near = NearestMetrics(known, name);
    PrintError("--metrics: unknown metric '" + name + "'" +
               (near.empty() ? "" : "; nearest: " + near.front()));
    return ExitCode::kUsage;
  }
  for (const std::string& text : options.assertions) {
    absl::StatusOr<Assertion> assertion = ParseAssertion(text);
    if (!assertion.ok()) {
      PrintError(std::string(assertion.status().message()));
      return ExitCode::kUsage;
    }
    sweep->assertions.push_back(*std::move(assertion));
  }
  search::Space space;
  absl::StatusOr<std::vector<search::Point>> points = ReadPoints(options.space, &space);
  if (!points.ok()) {
    PrintError(std::string(points.status().message()));
    return ExitCode::kUsage;
  }
  sweep->axes = space.columns();
  sweep->points = *std::move(points);
  if (options.sample > 0) {
    sweep->points = search::Sample(std::move(sweep->points), options.sample, options.sample_seed);
  }
  return LoadSpec(options.spec, options.talk.quiet, &sweep->input);
}

// A column for each axis and metric; metrics that were not asked for need a value in some run.
ResultTable MakeTable(const Sweep& sweep, const std::vector<Row>& rows) {
  std::vector<Column> columns;
  for (const std::string& axis : sweep.axes) columns.push_back({.name = axis});
  std::vector<size_t> shown;
  for (size_t i = 0; i < sweep.metrics.size(); ++i) {
    const bool has_value = std::any_of(rows.begin(), rows.end(),
                                       [i](const Row& row) { return row.values[i].has_value(); });
    if (!sweep.all_metrics && !has_value) continue;
    shown.push_back(i);
    columns.push_back(MetricColumn(sweep.metrics[i]));
  }
  if (!sweep.assertions.empty()) columns.push_back({.name = "missed"});
  columns.push_back({.name = "note"});
  ResultTable table(std::move(columns));
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    if (row.stopped) continue;
    std::vector<Cell> cells;
    for (const std::string& cell : sweep.points[i].cells) cells.push_back(Cell::Text(cell));
    for (const size_t metric : shown) cells.push_back(Cell::Number(row.values[metric]));
    if (!sweep.assertions.empty()) cells.push_back(Cell::Text(row.missed));
    cells.push_back(Cell::Text(!row.error.empty() ? "error: " + row.error
                               : row.saturated    ? "saturated"
                                                  : ""));
    table.AddRow(std::move(cells));
  }
  return table;
}

// Of all points: nothing to show is a failure, some errors are part of the answer.
ExitCode Conclude(const std::vector<Row>& rows, bool quiet) {
  const auto errors =
      std::count_if(rows.begin(), rows.end(), [](const Row& row) { return !row.error.empty(); });
  const auto missing =
      std::count_if(rows.begin(), rows.end(), [](const Row& row) { return !row.missed.empty(); });
  const std::string total = FormatCount(static_cast<int64_t>(rows.size()));
  if (errors > 0 && !quiet) {
    std::cerr << "tokensim: " << FormatCount(errors) << " of " << total
              << " points have an error\n";
  }
  if (missing > 0) {
    std::cerr << "tokensim: " << FormatCount(missing) << " of " << total
              << " points miss an assertion\n";
  }
  if (errors == static_cast<int64_t>(rows.size())) return ExitCode::kRunFailed;
  return missing > 0 ? ExitCode::kAssertionMissed : ExitCode::kOk;
}

ExitCode RunSweep(const SweepOptions& options) {
  Sweep sweep;
  if (const ExitCode code = Read(options, &sweep); code != ExitCode::kOk) return code;
  std::vector<Row> rows(sweep.points.size());
  Interrupt interrupt;
  {
    ProgressBar bar(options.talk);
    const std::string total = FormatCount(static_cast<int64_t>(rows.size())) + " runs";
    RunParallel(
        rows.size(), options.threads,
        [&](size_t i) {
          const PointRun run = RunPoint(sweep.input, sweep.points[i].assignments,
                                        [&] { return interrupt.requested(); });
          rows[i] = MakeRow(run, sweep.metrics, sweep.assertions);
        },
        [&](size_t done) {
          bar.Update(static_cast<double>(done) / static_cast<double>(rows.size()),
                     FormatCount(static_cast<int64_t>(done)) + " / " + total);
        });
  }
  const ResultTable table = MakeTable(sweep, rows);
  if (const absl::Status status = PrintTable(table, options.table, std::cout); !status.ok()) {
    PrintError(std::string(status.message()));
    return ExitCode::kUsage;
  }
  if (interrupt.requested()) {
    PrintError("interrupted: the table has the runs that had ended");
    return ExitCode::kInterrupted;
  }
  return Conclude(rows, options.talk.quiet);
}

}  // namespace

void AddSweepCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<SweepOptions>();
  CLI::App* command = app.add_subcommand("sweep", "Run a spec at many points, as one table");
  command->footer(kExamples);
  AddSpecOptions(command, &options->spec);
  AddSpaceOptions(command, &options->space);
  command->add_option("--sample", options->sample, "Only so many of the points, drawn at random")
      ->check(CLI::Range(1, 1'000'000))
      ->option_text("N");
  command->add_option("--sample-seed", options->sample_seed, "Seed of that draw; default: 0")
      ->check(WholeNumber())
      ->option_text("N");
  command->add_option("--metrics", options->metrics, "Figures of the table, as ttft.p99,goodput")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("METRIC,...");
  command
      ->add_option(
          "--assert", options->assertions,
          "Exit with 4 unless it holds at every point, as 'ttft.p99 <= 500ms' (repeatable)")
      ->allow_extra_args(false)
      ->option_text("EXPR");
  AddThreadsOption(command, &options->threads);
  AddTableOptions(command, &options->table);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunSweep(*options); });
}

}  // namespace tokensim::cli
