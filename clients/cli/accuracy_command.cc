// `tokensim accuracy`: replays a measured run and says how far the simulation is from it.
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>

#include "clients/cli/accuracy_output.h"
#include "clients/cli/assertion.h"
#include "clients/cli/commands.h"
#include "clients/cli/options.h"
#include "clients/cli/server_settings.h"
#include "clients/cli/spec_input.h"
#include "clients/cli/talk.h"
#include "clients/cli/units.h"
#include "engine/analysis/in_flight.h"
#include "engine/analysis/replay.h"
#include "engine/io/measured/truth_reader.h"

namespace tokensim::cli {

namespace {

using accuracy::MeasuredRun;
using accuracy::MeasuredStages;

constexpr char kExamples[] = R"(Examples:
  tokensim accuracy --spec server.yaml --truth run.csv
  tokensim accuracy --spec server.yaml --truth run.csv -o json | jq '.comparisons[0].metrics.ttft'
  tokensim accuracy --spec server.yaml --truth run.csv --requests side-by-side.csv
  tokensim accuracy --spec server.yaml --truth run.csv --assert 'ttft.mean <= 2%' \
                    --assert 'ttft.mape <= 5%' --assert 'tpot.p99 <= 1%'
  tokensim accuracy --spec server.yaml --truth stages.json --workload-out sent.csv
  tokensim accuracy --spec server.yaml --truth run.csv --max-in-flight 256 --repeat again.csv
The requests of the truth, at their times and with their prompts, replace the workload of the spec.
Truth: a CSV file with arrival_s, first_token_s, last_token_s, input_toks, output_toks and
  optionally intended_s, queued_s, scheduled_s, prompt_block16_ids; the result of `vllm bench serve
  --save-detailed`, GuideLLM, inference-perf (per request) or AIPerf (profile_export.jsonl), FILE#N
  being its run N; or the JSON of a staged load test (docs/accuracy.md). Errors are simulated minus measured, as a share of measured.
Assertions: absolute errors of ttft, ttft_queued, tpot, e2e, e2e_queued x mean, p50, p90, p99, mape,
  median_ape, of throughput.requests_per_second and throughput.output_tokens_per_second, and counts
  requests.not_simulated and saturation.wrong.)";

struct AccuracyOptions {
  SpecOptions spec;
  std::string truth;
  std::string repeat;
  int32_t max_in_flight = 0;
  Format format = Format::kTable;
  std::string requests_file;
  std::string workload_file;
  std::vector<std::string> assertions;
  TalkOptions talk;
};

bool WriteFile(const std::string& path, const std::function<void(std::ostream&)>& write) {
  if (path.empty()) return true;
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (out) write(out);
  out.close();
  if (!out) PrintError(path + ": " + std::strerror(errno));
  return !out.fail();
}

// The files that go with the kind of the truth.
ExitCode CheckFiles(const AccuracyOptions& options, const accuracy::Truth& truth) {
  const bool stages = std::holds_alternative<MeasuredStages>(truth);
  if (stages && !options.requests_file.empty()) {
    PrintError("--requests: " + options.truth + " has no figures of single requests");
    return ExitCode::kUsage;
  }
  if (stages && !options.repeat.empty()) {
    PrintError("--repeat: " + options.truth + " has no figures of single requests");
    return ExitCode::kUsage;
  }
  if (!stages && !options.workload_file.empty()) {
    PrintError("--workload-out: " + options.truth + " is itself the list of what was sent");
    return ExitCode::kUsage;
  }
  return ExitCode::kOk;
}

// The errors of the run's repetition, if there is one.
ExitCode ReadNoise(const AccuracyOptions& options, const accuracy::Truth& truth,
                   std::vector<accuracy::Comparison>* noise) {
  if (options.repeat.empty()) return ExitCode::kOk;
  const absl::StatusOr<accuracy::Truth> repeat = accuracy::ReadTruth(options.repeat);
  absl::Status status = repeat.status();
  if (repeat.ok() && !std::holds_alternative<MeasuredRun>(*repeat)) {
    status = absl::InvalidArgumentError(options.repeat + " has no figures of single requests");
  }
  if (status.ok()) {
    auto compared =
        accuracy::CompareRepeat(std::get<MeasuredRun>(truth), std::get<MeasuredRun>(*repeat));
    status = compared.status();
    if (status.ok()) *noise = *std::move(compared);
  }
  if (status.ok()) return ExitCode::kOk;
  PrintError("--repeat: " + std::string(status.message()));
  return ExitCode::kUsage;
}

void TellFailed(const accuracy::Truth& truth) {
  const auto* run = std::get_if<MeasuredRun>(&truth);
  if (run == nullptr || run->failed == 0) return;
  std::cerr << FormatCount(run->failed) << " measured requests failed and are left out\n";
}

// The send times of a client that held requests back are those of the server it waited for.
void WarnOfFlatTop(const accuracy::Truth& truth) {
  const auto* run = std::get_if<MeasuredRun>(&truth);
  const auto top = run == nullptr ? std::nullopt : accuracy::FindFlatTop(*run);
  if (!top) return;
  PrintError("warning: " + run->name + " has " + FormatCount(top->in_flight) +
             " requests in flight for " + FormatPercent(top->share) +
             " of its time, never more: its client seems to have held others back; replay it with "
             "--max-in-flight " +
             std::to_string(top->in_flight));
}

ExitCode CheckAssertions(const AccuracyOptions& options, const AccuracyResult& result) {
  const std::vector<Metric> metrics = AccuracyMetrics(result);
  bool all_hold = true;
  for (const std::string& text : options.assertions) {
    const absl::StatusOr<Assertion> assertion = ParseAssertion(text, metrics);
    if (!assertion.ok()) {
      PrintError(std::string(assertion.status().message()));
      return ExitCode::kUsage;
    }
    const AssertionResult checked = Evaluate(*assertion, metrics);
    all_hold &= checked.holds;
    if (checked.holds && options.talk.quiet) continue;
    std::cerr << (checked.holds ? "holds:  " : "MISSED: ") << checked.text << "  ("
              << checked.measured << ")\n";
  }
  return all_hold ? ExitCode::kOk : ExitCode::kAssertionMissed;
}

ExitCode Finish(const AccuracyOptions& options, const accuracy::Truth& truth,
                const SpecInput& input, const accuracy::Replay& replay, double wall_seconds) {
  AccuracyResult result{input.spec.name(), input.prepared.digest, options.truth, wall_seconds,
                        accuracy::Compare(truth, replay.records), options.repeat, {}};
  if (const ExitCode code = ReadNoise(options, truth, &result.noise); code != ExitCode::kOk) {
    return code;
  }
  if (options.format == Format::kJson) {
    WriteAccuracyJson(result, std::cout);
  } else {
    WriteAccuracyTable(result, std::cout);
  }
  std::cout.flush();
  const bool requests_written = WriteFile(options.requests_file, [&](std::ostream& out) {
    WriteAccuracyRequests(std::get<MeasuredRun>(truth), replay.records, out);
  });
  const bool workload_written = WriteFile(options.workload_file, [&](std::ostream& out) {
    WriteEffectiveWorkload(std::get<MeasuredStages>(truth), input.prepared.plan->seed, out);
  });
  if (!std::cout || !requests_written || !workload_written) return ExitCode::kRunFailed;
  return CheckAssertions(options, result);
}

ExitCode RunAccuracy(const AccuracyOptions& options) {
  const absl::StatusOr<accuracy::Truth> truth = accuracy::ReadTruth(options.truth);
  if (!truth.ok()) {
    PrintError(std::string(truth.status().message()));
    return ExitCode::kUsage;
  }
  if (const ExitCode code = CheckFiles(options, *truth); code != ExitCode::kOk) return code;
  SpecInput input;
  if (const ExitCode code = ReadSpec(options.spec, &input); code != ExitCode::kOk) return code;
  *input.spec.mutable_workload() =
      accuracy::ToWorkload(*truth, static_cast<uint64_t>(input.spec.seed()), options.max_in_flight);
  if (const ExitCode code = CheckSpec(options.talk.quiet, &input); code != ExitCode::kOk) {
    return code;
  }
  if (!options.talk.quiet) {
    WarnOfOtherSettings(*truth, input.prepared.resolved);
    if (options.max_in_flight == 0) WarnOfFlatTop(*truth);
    TellFailed(*truth);
  }
  const auto start = std::chrono::steady_clock::now();
  const absl::StatusOr<accuracy::Replay> replay = accuracy::RunReplay(input.prepared.plan);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  if (!replay.ok()) {
    PrintError(std::string(replay.status().message()));
    return ExitCode::kRunFailed;
  }
  return Finish(options, *truth, input, *replay, wall.count());
}

}  // namespace

void AddAccuracyCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<AccuracyOptions>();
  CLI::App* command = app.add_subcommand("accuracy", "Compare a simulation with a measured run");
  command->footer(kExamples);
  command->add_option("--spec", options->spec.file, "The system that was measured")
      ->required()
      ->option_text("SPEC.yaml");
  command->add_option("--truth", options->truth, "What was measured")
      ->required()
      ->option_text("RUN.csv|STAGES.json");
  command
      ->add_option("--max-in-flight", options->max_in_flight,
                   "The client had so many requests in flight at most, and held others back")
      ->check(CLI::Range(1, 10'000'000))
      ->option_text("N");
  command
      ->add_option("--repeat", options->repeat,
                   "The same schedule served once more: prints the noise between both")
      ->option_text("RUN.csv");
  AddOverrideOptions(command, &options->spec);
  AddFormatOption(command, &options->format, {Format::kTable, Format::kJson});
  command
      ->add_option("--requests", options->requests_file,
                   "Write measured and simulated stamps of each request")
      ->option_text("FILE.csv");
  command
      ->add_option("--workload-out", options->workload_file,
                   "Write the requests that the stages are taken to have sent")
      ->option_text("FILE.csv");
  command
      ->add_option("--assert", options->assertions,
                   "Exit with 4 unless it holds, as 'ttft.mean <= 2%' (repeatable)")
      ->allow_extra_args(false)
      ->option_text("EXPR");
  command->add_flag("-q,--quiet", options->talk.quiet, "Nothing on stderr but errors");
  command->callback([options, exit_code] { *exit_code = RunAccuracy(*options); });
}

}  // namespace tokensim::cli
