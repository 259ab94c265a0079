// `tokensim optimize`: the best of many deployments for a load, by short runs first.
#include <algorithm>
#include <iostream>
#include <memory>
#include <numeric>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "clients/cli/commands.h"
#include "clients/cli/criteria.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/parallel.h"
#include "clients/cli/point_run.h"
#include "clients/cli/progress_bar.h"
#include "clients/cli/search_options.h"
#include "clients/cli/service_probe.h"
#include "clients/cli/talk.h"
#include "clients/cli/units.h"
#include "engine/search/race.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim optimize spec.yaml --vary workers.gpu.count=1..16         the cheapest that serves its load
  tokensim optimize spec.yaml --variant 'device=h100: workers.gpu.hardware=h100-sxm' \
        --variant 'device=b200: workers.gpu.hardware=b200' --vary 'workers.gpu.tensor_parallel=1..8:x2' \
        --vary workers.gpu.count=1..8
  tokensim optimize spec.yaml --vary 'workers.prefill.count=1..7' --vary 'workers.decode.count=1..7' \
        --where 'prefill.count + decode.count == 8' --maximize goodput
  tokensim optimize spec.yaml --vary 'workload.arrival.closed_loop.users=1..256:x2' \
        --minimize tpot.p50 --maximize throughput.output_tokens_per_second      the Pareto front
Every candidate runs shortly. Those that do not serve, and those that another beats in every objective,
are left behind; the rest run again, 4 and 16 times as long. The table says of each why. A short run
is forgiven a lack of attainment of 3 standard errors.)";

constexpr double kShortRunSigmas = 3;
constexpr size_t kMaxCandidates = 10'000;
constexpr size_t kShown = 20;  // rows of a table for people

struct Objective {
  std::string metric;
  bool maximize = false;
};

struct OptimizeOptions {
  SpecOptions spec;
  SpaceOptions space;
  std::vector<Objective> objectives;
  CriteriaOptions criteria;
  bool all = false;
  int threads = 1;
  TableOptions table;
  TalkOptions talk;
};

struct Question {
  SpecInput input;
  std::vector<std::string> axes;
  std::vector<search::Point> points;
  std::vector<Objective> objectives;
  Criteria criteria;
  search::RaceRules rules;
};

bool ReadObjectives(const OptimizeOptions& options, std::vector<Objective>* objectives) {
  *objectives = options.objectives;
  if (objectives->empty()) objectives->push_back({.metric = "cost.dollars_per_hour"});
  for (const Objective& objective : *objectives) {
    const std::vector<Metric> known = MetricsFor(objective.metric);
    if (FindMetric(known, objective.metric) != nullptr) continue;
    const std::vector<std::string> near = NearestMetrics(known, objective.metric);
    PrintError("unknown metric '" + objective.metric + "'" +
               (near.empty() ? "" : "; nearest: " + near.front()));
    return false;
  }
  return true;
}

ExitCode Read(const OptimizeOptions& options, Question* question) {
  if (!ReadObjectives(options, &question->objectives)) return ExitCode::kUsage;
  if (!ReadCriteria(options.criteria, &question->criteria)) return ExitCode::kUsage;
  search::Space space;
  absl::StatusOr<std::vector<search::Point>> points = ReadPoints(options.space, &space);
  if (points.ok() && points->size() > kMaxCandidates) {
    points = absl::InvalidArgumentError(
        absl::StrCat("at most ", kMaxCandidates, " candidates; these are ", points->size()));
  }
  if (!points.ok()) {
    PrintError(std::string(points.status().message()));
    return ExitCode::kUsage;
  }
  question->axes = space.columns();
  question->points = *std::move(points);
  const ExitCode code = LoadSpec(options.spec, options.talk.quiet, &question->input);
  if (code != ExitCode::kOk) return code;
  const std::optional<LoadField> load = FindLoad(question->input.prepared.resolved);
  const bool has_length = (load && load->is_rate) || question->criteria.duration_seconds;
  if (!has_length) question->rules.scales = {1};  // the spec's own requests, once
  return ExitCode::kOk;
}

// The score of one candidate; what makes no valid spec does not serve.
search::Score ScoreOf(const Question& question, const search::Point& point, double scale,
                      const std::function<bool()>& stop) {
  search::Score score;
  v1::Spec spec = question.input.spec;
  if (const absl::Status status = Assign(question.input, point.assignments, &spec); !status.ok()) {
    score.broke = absl::StrCat("error: ", status.message());
    return score;
  }
  const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::AnyPath(question.input.base_dir));
  const std::optional<LoadField> load = FindLoad(prepared.resolved);
  const Knob knob = {.is_rate = load && load->is_rate};
  Criteria criteria = question.criteria;
  if (scale < question.rules.scales.back()) criteria.sigmas = kShortRunSigmas;
  ServiceProbe probe(question.input, knob, criteria, point.assignments, 1, stop);
  const double value = load ? load->value : 1;
  const absl::StatusOr<search::Verdict> verdict = probe.Judge(value, scale);
  if (!verdict.ok()) {
    score.broke = absl::StrCat("error: ", verdict.status().message());
    return score;
  }
  score.serves = verdict->serves;
  score.broke = verdict->broke;
  if (!score.serves) return score;
  const std::vector<Metric> metrics = ListMetrics(*probe.ReportAt(value));
  for (const Objective& objective : question.objectives) {
    const Metric* metric = FindMetric(metrics, objective.metric);
    if (metric == nullptr || !metric->value) {
      score.serves = false;
      score.broke = "no value of " + objective.metric;
      if (objective.metric.starts_with("cost.")) score.broke += ": hardware.price is not known";
      return score;
    }
    score.objectives.push_back(objective.maximize ? -*metric->value : *metric->value);
  }
  return score;
}

absl::StatusOr<search::Race> Run(const OptimizeOptions& options, const Question& question,
                                 const Interrupt& interrupt) {
  ProgressBar bar(options.talk);
  const auto stop = [&] { return interrupt.requested(); };
  const search::Evaluate evaluate =
      [&](const std::vector<size_t>& who,
          double scale) -> absl::StatusOr<std::vector<search::Score>> {
    std::vector<search::Score> scores(who.size());
    const std::string text =
        absl::StrCat(" / ", who.size(), " candidates, runs of length x", scale);
    RunParallel(
        who.size(), options.threads,
        [&](size_t i) { scores[i] = ScoreOf(question, question.points[who[i]], scale, stop); },
        [&](size_t done) {
          bar.Update(static_cast<double>(done) / static_cast<double>(who.size()),
                     absl::StrCat(done, text));
        });
    if (interrupt.requested()) return absl::CancelledError("interrupted");
    return scores;
  };
  return search::RunRace(question.points.size(), question.rules, evaluate);
}

const char* FateName(const search::Race& race, size_t candidate) {
  if (race.best == candidate) return "best";
  switch (race.standings[candidate].fate) {
    case search::Fate::kFront:
      return "front";
    case search::Fate::kDominated:
      return "beaten";
    case search::Fate::kFails:
      return "fails";
  }
  return "";
}

// What a candidate has that another has not: "device=h100, workers.gpu.count=4".
std::string Unlike(const Question& question, size_t candidate, size_t other) {
  std::string text;
  for (size_t i = 0; i < question.axes.size(); ++i) {
    const std::string& cell = question.points[candidate].cells[i];
    if (cell == question.points[other].cells[i]) continue;
    absl::StrAppend(&text, text.empty() ? "" : ", ", question.axes[i], "=", cell);
  }
  return text;
}

// The best, the front, those that were beaten, those that fail; within each by the objectives.
std::vector<size_t> InOrder(const search::Race& race) {
  std::vector<size_t> order(race.standings.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto key = [&race](size_t i) {
    const search::Standing& standing = race.standings[i];
    return std::tuple(race.best != i, standing.fate, standing.score.objectives);
  };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
  return order;
}

ResultTable MakeTable(const Question& question, const search::Race& race, size_t rows) {
  std::vector<Column> columns = {{.name = "result"}};
  for (const std::string& axis : question.axes) columns.push_back({.name = axis});
  for (const Objective& objective : question.objectives) {
    columns.push_back(MetricColumn(objective.metric));
  }
  columns.push_back({.name = "length"});
  columns.push_back({.name = "why"});
  ResultTable table(std::move(columns));
  for (const size_t i : InOrder(race)) {
    if (table.rows().size() == rows) break;
    const search::Standing& standing = race.standings[i];
    std::vector<Cell> cells = {Cell::Text(FateName(race, i))};
    for (const std::string& cell : question.points[i].cells) cells.push_back(Cell::Text(cell));
    for (size_t k = 0; k < question.objectives.size(); ++k) {
      const bool has = k < standing.score.objectives.size();
      const double sign = question.objectives[k].maximize ? -1 : 1;
      cells.push_back(has ? Cell::Number(sign * standing.score.objectives[k]) : Cell());
    }
    cells.push_back(Cell::Text(absl::StrCat("x", question.rules.scales[standing.runs - 1])));
    cells.push_back(Cell::Text(standing.dominator ? "by " + Unlike(question, *standing.dominator, i)
                                                  : standing.score.broke));
    table.AddRow(std::move(cells));
  }
  return table;
}

ExitCode RunOptimize(const OptimizeOptions& options) {
  Question question;
  if (const ExitCode code = Read(options, &question); code != ExitCode::kOk) return code;
  Interrupt interrupt;
  const absl::StatusOr<search::Race> race = Run(options, question, interrupt);
  if (!race.ok()) {
    PrintError(std::string(race.status().message()));
    return interrupt.requested() ? ExitCode::kInterrupted : ExitCode::kRunFailed;
  }
  const bool short_table = options.table.format == TableFormat::kTable && !options.all;
  const size_t rows = short_table ? kShown : race->standings.size();
  const ResultTable table = MakeTable(question, *race, rows);
  if (const absl::Status status = PrintTable(table, options.table, std::cout); !status.ok()) {
    PrintError(std::string(status.message()));
    return ExitCode::kUsage;
  }
  if (rows < race->standings.size() && !options.talk.quiet) {
    std::cerr << "tokensim: " << FormatCount(static_cast<int64_t>(race->standings.size() - rows))
              << " more candidates; --all shows them\n";
  }
  if (race->best) return ExitCode::kOk;
  PrintError("no candidate serves");
  return ExitCode::kAssertionMissed;
}

void AddObjectiveOptions(CLI::App* command, OptimizeOptions* options) {
  for (const bool maximize : {false, true}) {
    command
        ->add_option_function<std::string>(
            maximize ? "--maximize" : "--minimize",
            [options, maximize](const std::string& metric) {
              options->objectives.push_back({metric, maximize});
            },
            maximize ? "A figure of the report that should be large, as goodput (repeatable)"
                     : "A figure that should be small; default: cost.dollars_per_hour (repeatable: "
                       "the first decides, the front has every compromise)")
        ->trigger_on_parse()
        ->allow_extra_args(false)
        ->option_text("METRIC");
  }
}

}  // namespace

void AddOptimizeCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<OptimizeOptions>();
  CLI::App* command =
      app.add_subcommand("optimize", "Find the best deployment for a load, as the cheapest");
  command->footer(kExamples);
  AddSpecOptions(command, &options->spec);
  AddSpaceOptions(command, &options->space);
  AddObjectiveOptions(command, options.get());
  AddCriteriaOptions(command, &options->criteria);
  command->add_flag("--all", options->all, "Show every candidate, not only the first 20");
  AddThreadsOption(command, &options->threads);
  AddTableOptions(command, &options->table);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunOptimize(*options); });
}

}  // namespace tokensim::cli
