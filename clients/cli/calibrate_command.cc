// `tokensim calibrate`: fits the constants of a host to measured runs.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/calibrate_output.h"
#include "clients/cli/commands.h"
#include "clients/cli/options.h"
#include "clients/cli/spec_input.h"
#include "clients/cli/talk.h"
#include "engine/analysis/fit.h"
#include "engine/base/nearest.h"
#include "engine/io/measured/fit_case.h"
#include "engine/io/measured/truth_reader.h"

namespace tokensim::cli {

namespace {

using accuracy::FitCase;
using accuracy::FitConstant;

constexpr char kExamples[] = R"(Examples:
  tokensim calibrate --spec server.yaml --truth run.csv -o host.yaml
  tokensim calibrate --spec a.yaml --truth a.csv --spec b.yaml --truth b.csv -o host.yaml
  tokensim calibrate --spec server.yaml --truth stages.json \
                     --fit iteration_seconds,sequence_seconds,layer_seconds,request_seconds
The n-th truth belongs to the n-th spec; one spec serves several truths. Constants that are not
fitted keep the values of the spec. A spec uses the result as `calibration: {path: host.yaml}`.
With -o the table of errors goes to stdout, else it goes to stderr and the YAML to stdout.
The fit minimises the mean of the squared relative errors of TTFT, TPOT and E2E (mean, p50, p90,
p99; of stages mean, p50, p90) and of the throughput (docs/accuracy.md).)";

constexpr const char* kDefaultFit[] = {"iteration_seconds", "prefill_dense_factor"};

struct CalibrateOptions {
  std::vector<std::string> specs;
  std::vector<std::string> truths;
  std::vector<int32_t> max_in_flight;  // of each truth, or of all; 0: no limit
  SpecOptions overrides;               // of every spec
  std::vector<std::string> constants;
  std::string output;
  bool quiet = false;
};

ExitCode Usage(const std::string& message) {
  PrintError(message);
  return ExitCode::kUsage;
}

ExitCode FindConstants(const std::vector<std::string>& names,
                       std::vector<const FitConstant*>* constants) {
  std::vector<std::string> known;
  for (const FitConstant& constant : accuracy::FitConstants()) known.emplace_back(constant.name);
  for (const std::string& name : names) {
    const FitConstant* constant = accuracy::FindConstant(name);
    if (constant == nullptr) {
      std::string list;
      for (const std::string& each : NearestNames(name, known, 3)) {
        list += (list.empty() ? "" : ", ") + each;
      }
      return Usage(
          "--fit: no constant '" + name + "'" +
          (list.empty() ? "; `tokensim calibrate --help` lists them" : "; nearest: " + list));
    }
    if (std::find(constants->begin(), constants->end(), constant) != constants->end()) {
      return Usage("--fit: " + name + " is given twice");
    }
    constants->push_back(constant);
  }
  return ExitCode::kOk;
}

// Also gives the resolved spec of the case.
ExitCode LoadCase(const CalibrateOptions& options, size_t index,
                  std::span<const FitConstant* const> constants, v1::Spec* resolved,
                  FitCase* fit_case) {
  const std::string& file = options.truths[index];
  absl::StatusOr<accuracy::Truth> truth = accuracy::ReadTruth(file);
  if (!truth.ok()) return Usage(std::string(truth.status().message()));
  SpecOptions spec = options.overrides;
  spec.file = options.specs.size() == 1 ? options.specs[0] : options.specs[index];
  SpecInput input;
  if (const ExitCode code = ReadSpec(spec, &input); code != ExitCode::kOk) return code;
  const std::vector<int32_t>& limits = options.max_in_flight;
  const int32_t places = limits.empty() ? 0 : limits.size() == 1 ? limits[0] : limits[index];
  *input.spec.mutable_workload() =
      accuracy::ToWorkload(*truth, static_cast<uint64_t>(input.spec.seed()), places);
  if (const ExitCode code = CheckSpec(options.quiet, &input); code != ExitCode::kOk) return code;
  *resolved = std::move(input.prepared.resolved);
  *fit_case = accuracy::MakeFitCase(std::filesystem::path(file).filename().string(), *resolved,
                                    *std::move(truth), constants);
  return ExitCode::kOk;
}

ExitCode Write(const CalibrateOptions& options, const CalibrateResult& result) {
  const std::string yaml = CalibrationYaml(result);
  if (options.output.empty()) {
    if (!options.quiet) WriteFitTable(result, std::cerr);
    std::cout << yaml << std::flush;
    return std::cout ? ExitCode::kOk : ExitCode::kRunFailed;
  }
  std::ofstream file(options.output, std::ios::binary | std::ios::trunc);
  file << yaml;
  file.close();
  if (!file) {
    PrintError(options.output + ": " + std::strerror(errno));
    return ExitCode::kRunFailed;
  }
  WriteFitTable(result, std::cout);
  return std::cout.flush() ? ExitCode::kOk : ExitCode::kRunFailed;
}

ExitCode RunCalibrate(const CalibrateOptions& options) {
  if (options.specs.size() != 1 && options.specs.size() != options.truths.size()) {
    return Usage("give one --spec for all --truth, or one for each");
  }
  if (options.max_in_flight.size() > 1 && options.max_in_flight.size() != options.truths.size()) {
    return Usage("give one --max-in-flight for all --truth, or one for each (0: no limit)");
  }
  std::vector<const FitConstant*> constants;
  ExitCode code = FindConstants(options.constants, &constants);
  std::vector<FitCase> cases(options.truths.size());
  v1::Spec first;
  for (size_t i = 0; i < cases.size() && code == ExitCode::kOk; ++i) {
    v1::Spec resolved;
    code = LoadCase(options, i, constants, &resolved, &cases[i]);
    if (i == 0) first = std::move(resolved);
  }
  if (code != ExitCode::kOk) return code;
  const auto start = std::chrono::steady_clock::now();
  absl::StatusOr<accuracy::FitResult> fit = accuracy::FitToRuns(cases, constants);
  if (!fit.ok()) {
    PrintError(std::string(fit.status().message()));
    return ExitCode::kRunFailed;
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  return Write(options, {constants, cases, std::move(first), *std::move(fit), wall.count()});
}

std::string ConstantsHelp() {
  std::string text = "Constants of --fit:";
  for (const FitConstant& constant : accuracy::FitConstants()) {
    text += "\n  " + std::string(constant.name) +
            std::string(22 - std::min<size_t>(21, constant.name.size()), ' ') +
            std::string(constant.meaning);
  }
  return text;
}

}  // namespace

void AddCalibrateCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<CalibrateOptions>();
  CLI::App* command =
      app.add_subcommand("calibrate", "Fit the constants of a host to measured runs");
  command->footer(kExamples + ("\n" + ConstantsHelp()));
  command->add_option("--spec", options->specs, "The system that was measured (repeatable)")
      ->required()
      ->allow_extra_args(false)
      ->option_text("SPEC.yaml");
  command->add_option("--truth", options->truths, "What was measured (repeatable)")
      ->required()
      ->allow_extra_args(false)
      ->option_text("RUN.csv|STAGES.json");
  command
      ->add_option("--max-in-flight", options->max_in_flight,
                   "Requests that the client had in flight at most; 0: no limit (repeatable)")
      ->check(CLI::Range(0, 10'000'000))
      ->allow_extra_args(false)
      ->option_text("N");
  command->add_option("--fit", options->constants, "Constants to fit")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text(absl::StrCat("NAMES=", absl::StrJoin(kDefaultFit, ",")));
  command->add_option("-o,--output", options->output, "Write the calibration; default: stdout")
      ->option_text("FILE.yaml");
  AddOverrideOptions(command, &options->overrides);
  command->add_flag("-q,--quiet", options->quiet, "Nothing on stderr but errors");
  command->callback([options, exit_code] {
    if (options->constants.empty()) {
      options->constants.assign(std::begin(kDefaultFit), std::end(kDefaultFit));
    }
    *exit_code = RunCalibrate(*options);
  });
}

}  // namespace tokensim::cli
