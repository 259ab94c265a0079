// `tokensim capacity`: the largest load that a deployment serves, or the smallest deployment.
#include <algorithm>
#include <atomic>
#include <iostream>
#include <memory>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "clients/cli/commands.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/parallel.h"
#include "clients/cli/progress_bar.h"
#include "clients/cli/search_options.h"
#include "clients/cli/service_probe.h"
#include "clients/cli/talk.h"
#include "clients/cli/units.h"
#include "engine/search/capacity.h"
#include "engine/search/values.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim capacity spec.yaml                              the rate that 99 % within its SLO allows
  tokensim capacity spec.yaml --attainment 95% --assert 'ttft.p99 <= 500ms' --seeds 5
  tokensim capacity spec.yaml --variant 'device=h100: workers.gpu.hardware=h100-sxm' \
        --variant 'device=b200: workers.gpu.hardware=b200'
  tokensim capacity spec.yaml --vary 'workers.prefill.count=1..7; workers.decode.count=7,6,5,4,3,2,1'
  tokensim capacity spec.yaml --knob workers.gpu.count --smallest --start 1 --duration 600
It serves when the share of requests within the spec's SLO is large enough, every assertion holds and
the run is not saturated. Without SLO and assertions the answer is the load it sustains. Overload shows
only in time: runs last 20 times the longest time asked for at least, and the answer holds in a run 4
times as long.)";

struct CapacityOptions {
  SpecOptions spec;
  SpaceOptions space;
  std::string knob;
  bool smallest = false;
  std::optional<double> start, min, max;
  double tolerance = 0.01;
  CriteriaOptions criteria;
  bool hasty = false;
  bool trials = false;
  int threads = 1;
  TableOptions table;
  TalkOptions talk;
};

// One search: of a point of the space.
struct Answer {
  std::string error;
  search::Capacity capacity;
  v1::Report report;       // at the answer
  std::string bottleneck;  // at what does not serve any more
};

// The field that is searched, and where the search begins. Tells stderr what is wrong.
bool FindKnob(const CapacityOptions& options, const SpecInput& input, Knob* knob,
              search::CapacityLimits* limits) {
  const std::optional<LoadField> load = FindLoad(input.prepared.resolved);
  if (options.knob.empty() || options.knob == "rate") {
    if (!load) {
      PrintError("the arrivals of this spec have no single rate: give --knob PATH and --start");
      return false;
    }
    *knob = {.path = load->path, .is_rate = load->is_rate, .whole = !load->is_rate};
    limits->start = load->value;
  } else {
    *knob = {.path = options.knob, .is_rate = load && load->is_rate && load->path == options.knob};
    v1::Spec scratch = input.spec;
    const v1::Spec* base = &input.prepared.resolved;
    if (const absl::Status one = SetField(knob->path, "1", &scratch, base); !one.ok()) {
      PrintError("--knob " + knob->path + ": " + std::string(one.message()));
      return false;
    }
    knob->whole = !SetField(knob->path, "1.5", &scratch, base).ok();
    if (!knob->is_rate && !options.start) {
      PrintError("--knob " + knob->path + " needs --start, where the search begins");
      return false;
    }
    if (knob->is_rate) limits->start = load->value;
  }
  limits->seek = options.smallest ? search::Seek::kSmallest : search::Seek::kLargest;
  limits->whole = knob->whole;
  limits->min = options.min.value_or(knob->whole ? 1 : 1e-6);
  limits->max = options.max.value_or(knob->whole ? 1e6 : 1e9);
  limits->start = std::clamp(options.start.value_or(limits->start), limits->min, limits->max);
  limits->tolerance = options.tolerance;
  limits->longer_runs = options.hasty ? 0 : 2;
  return true;
}

struct Question {
  SpecInput input;
  std::vector<std::string> axes;
  std::vector<search::Point> points;
  Knob knob;
  search::CapacityLimits limits;
  Criteria criteria;
};

ExitCode Read(const CapacityOptions& options, Question* question) {
  if (!ReadCriteria(options.criteria, &question->criteria)) return ExitCode::kUsage;
  search::Space space;
  absl::StatusOr<std::vector<search::Point>> points = ReadPoints(options.space, &space);
  if (!points.ok()) {
    PrintError(std::string(points.status().message()));
    return ExitCode::kUsage;
  }
  question->axes = space.columns();
  question->points = *std::move(points);
  const ExitCode code = LoadSpec(options.spec, options.talk.quiet, &question->input);
  if (code != ExitCode::kOk) return code;
  return FindKnob(options, question->input, &question->knob, &question->limits) ? ExitCode::kOk
                                                                                : ExitCode::kUsage;
}

// `trials` counts those of all searches, for the progress.
Answer Find(const Question& question, const search::Point& point, int threads,
            const std::function<bool()>& stop, std::atomic<int64_t>* trials) {
  Answer answer;
  ServiceProbe probe(question.input, question.knob, question.criteria, point.assignments, threads,
                     stop);
  absl::StatusOr<search::Capacity> found =
      search::FindCapacity(question.limits, [&](double value, double scale) {
        ++*trials;
        return probe.Judge(value, scale);
      });
  if (!found.ok()) {
    answer.error = std::string(found.status().message());
    return answer;
  }
  answer.capacity = *std::move(found);
  if (answer.capacity.good) answer.report = *probe.ReportAt(*answer.capacity.good);
  if (answer.capacity.bad) answer.bottleneck = Bottleneck(*probe.ReportAt(*answer.capacity.bad));
  return answer;
}

// What a reader should know before trusting the answer.
std::string NoteOf(const Answer& answer) {
  if (!answer.error.empty()) return "error: " + answer.error;
  const search::Capacity& capacity = answer.capacity;
  std::string note;
  const auto add = [&note](const std::string& text) {
    absl::StrAppend(&note, note.empty() ? "" : "; ", text);
  };
  if (!capacity.good) add("nothing serves");
  if (capacity.good && !capacity.bad) add("serves at the limit of the search");
  if (!capacity.settled) add("out of trials");
  if (!capacity.monotone) add("a harder value serves, too");
  return note;
}

const std::vector<std::string>& Figures() {
  static const std::vector<std::string> kFigures = {"throughput.requests_per_second",
                                                    "throughput.output_tokens_per_second",
                                                    "goodput",
                                                    "ttft.p99",
                                                    "tpot.p99",
                                                    "cost.dollars_per_hour",
                                                    "cost.dollars_per_million_output_tokens"};
  return kFigures;
}

ResultTable AnswerTable(const Question& question, const std::vector<Answer>& answers) {
  std::vector<Column> columns;
  for (const std::string& axis : question.axes) columns.push_back({.name = axis});
  for (const char* name : {"capacity", "fails_at", "broke", "bottleneck"}) {
    columns.push_back({.name = name});
  }
  for (const std::string& name : Figures()) {
    columns.push_back(MetricColumn(name));
  }
  columns.push_back({.name = "trials"});
  columns.push_back({.name = "note"});
  ResultTable table(std::move(columns));
  for (size_t i = 0; i < answers.size(); ++i) {
    const search::Capacity& capacity = answers[i].capacity;
    std::vector<Cell> cells;
    for (const std::string& cell : question.points[i].cells) cells.push_back(Cell::Text(cell));
    cells.push_back(Cell::Number(capacity.good));
    cells.push_back(Cell::Number(capacity.bad));
    cells.push_back(Cell::Text(capacity.broke));
    cells.push_back(Cell::Text(answers[i].bottleneck));
    const std::vector<Metric> metrics = ListMetrics(answers[i].report);
    for (const std::string& name : Figures()) {
      const Metric* metric = FindMetric(metrics, name);
      cells.push_back(Cell::Number(capacity.good && metric ? metric->value : std::nullopt));
    }
    cells.push_back(Cell::Text(absl::StrCat(capacity.trials.size())));
    cells.push_back(Cell::Text(NoteOf(answers[i])));
    table.AddRow(std::move(cells));
  }
  return table;
}

ResultTable TrialTable(const Question& question, const std::vector<Answer>& answers) {
  std::vector<Column> columns;
  for (const std::string& axis : question.axes) columns.push_back({.name = axis});
  for (const char* name : {"value", "length", "serves", "broke"}) columns.push_back({.name = name});
  ResultTable table(std::move(columns));
  for (size_t i = 0; i < answers.size(); ++i) {
    for (const search::Trial& trial : answers[i].capacity.trials) {
      std::vector<Cell> cells;
      for (const std::string& cell : question.points[i].cells) cells.push_back(Cell::Text(cell));
      cells.push_back(Cell::Number(trial.value));
      cells.push_back(Cell::Text(absl::StrCat("x", trial.scale)));
      cells.push_back(Cell::Text(trial.serves ? "yes" : "no"));
      cells.push_back(Cell::Text(trial.broke));
      table.AddRow(std::move(cells));
    }
  }
  return table;
}

// A single answer for people, a line for each figure.
void PrintAnswer(const Question& question, const Answer& answer, std::ostream& out) {
  const search::Capacity& capacity = answer.capacity;
  const auto line = [&out](const std::string& name, const std::string& text) {
    if (!text.empty()) out << name << std::string(14 - name.size(), ' ') << text << '\n';
  };
  const std::string unit = question.knob.is_rate ? " requests/s" : "";
  // Four digits: the two are within the tolerance of each other.
  const auto number = [&](double v) { return absl::StrFormat("%.4g", v) + unit; };
  line("Capacity", capacity.good ? number(*capacity.good) : "nothing serves");
  if (capacity.bad) line("Fails at", number(*capacity.bad) + ": " + capacity.broke);
  line("Bottleneck", answer.bottleneck);
  const std::vector<Metric> metrics = ListMetrics(answer.report);
  const auto value = [&](const char* name) -> std::string {
    const Metric* metric = FindMetric(metrics, name);
    return metric == nullptr || !metric->value ? "" : FormatMetric(*metric);
  };
  if (capacity.good) {
    line("Throughput", value("throughput.requests_per_second") + " requests/s, " +
                           value("throughput.output_tokens_per_second") + " output tokens/s");
    for (const auto& [name, p50, p99] :
         {std::tuple{"TTFT", "ttft.p50", "ttft.p99"}, std::tuple{"TPOT", "tpot.p50", "tpot.p99"}}) {
      if (!value(p50).empty()) line(name, "p50 " + value(p50) + ", p99 " + value(p99));
    }
    if (answer.report.has_slo()) line("Within SLO", value("slo.attainment"));
    if (answer.report.has_cost()) {
      line("Cost", "$" + value("cost.dollars_per_hour") + " per hour, $" +
                       value("cost.dollars_per_million_output_tokens") +
                       " per million output tokens");
    }
  }
  line("Field", question.knob.path);
  line("Trials", FormatCount(static_cast<int64_t>(capacity.trials.size())) +
                     (capacity.scale > 1
                          ? ", the last in runs " + FormatNumber(capacity.scale) + " times as long"
                          : ""));
  line("Note", NoteOf(answer));
}

ExitCode Show(const CapacityOptions& options, const Question& question,
              const std::vector<Answer>& answers) {
  if (options.trials) {
    TrialTable(question, answers).Print(options.table.format, std::cout);
  } else if (question.axes.empty() && options.table.format == TableFormat::kTable &&
             answers[0].error.empty()) {
    PrintAnswer(question, answers[0], std::cout);
  } else if (const absl::Status status =
                 PrintTable(AnswerTable(question, answers), options.table, std::cout);
             !status.ok()) {
    PrintError(std::string(status.message()));
    return ExitCode::kUsage;
  }
  const bool failed = std::all_of(answers.begin(), answers.end(),
                                  [](const Answer& answer) { return !answer.error.empty(); });
  if (failed) PrintError(answers[0].error);
  return failed ? ExitCode::kRunFailed : ExitCode::kOk;
}

ExitCode RunCapacity(const CapacityOptions& options) {
  Question question;
  if (const ExitCode code = Read(options, &question); code != ExitCode::kOk) return code;
  std::vector<Answer> answers(question.points.size());
  Interrupt interrupt;
  const auto stop = [&] { return interrupt.requested(); };
  // Threads go to the points, or to the seeds of a single one.
  const int for_seeds = answers.size() == 1 ? options.threads : 1;
  std::atomic<int64_t> trials = 0;
  {
    ProgressBar bar(options.talk);
    RunParallel(
        answers.size(), options.threads,
        [&](size_t i) {
          answers[i] = Find(question, question.points[i], for_seeds, stop, &trials);
        },
        [&](size_t done) {
          bar.Update(static_cast<double>(done) / static_cast<double>(answers.size()),
                     FormatCount(static_cast<int64_t>(done)) + " / " +
                         FormatCount(static_cast<int64_t>(answers.size())) + " searches, trial " +
                         FormatCount(trials));
        });
  }
  if (interrupt.requested()) {
    PrintError("interrupted");
    return ExitCode::kInterrupted;
  }
  return Show(options, question, answers);
}

void AddSearchOptions(CLI::App* command, CapacityOptions* options) {
  const auto above_zero = [] {
    return RealNumber("a number above 0", [](double v) { return v > 0; });
  };
  command
      ->add_option(
          "--knob", options->knob,
          "Field to search; default: the rate of the arrivals, or the users of a closed loop")
      ->option_text("PATH");
  command->add_flag(
      "--smallest", options->smallest,
      "The smallest value that serves, as of a number of workers; default: the largest");
  command
      ->add_option("--start", options->start, "Where the search begins; default: the spec's load")
      ->check(above_zero())
      ->option_text("VALUE");
  command->add_option("--min", options->min, "Smallest value to try")
      ->check(above_zero())
      ->option_text("VALUE");
  command->add_option("--max", options->max, "Largest value to try")
      ->check(above_zero())
      ->option_text("VALUE");
  command->add_option("--tolerance", options->tolerance, "How near the bracket ends; default: 1%")
      ->transform(Share())
      ->option_text("SHARE");
  command->add_flag("--hasty", options->hasty, "Do not try the answer again in longer runs");
}

}  // namespace

void AddCapacityCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<CapacityOptions>();
  CLI::App* command =
      app.add_subcommand("capacity", "Find the largest load that a spec serves within its SLO");
  command->footer(kExamples);
  AddSpecOptions(command, &options->spec);
  AddSearchOptions(command, options.get());
  AddCriteriaOptions(command, &options->criteria);
  AddSpaceOptions(command, &options->space);
  command->add_flag("--trials", options->trials, "Print every trial instead of the answers");
  AddThreadsOption(command, &options->threads);
  AddTableOptions(command, &options->table);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunCapacity(*options); });
}

}  // namespace tokensim::cli
