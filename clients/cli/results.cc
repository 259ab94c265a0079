#include "clients/cli/results.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <utility>

#include "clients/cli/junit.h"
#include "clients/cli/markdown_output.h"
#include "clients/cli/report_output.h"
#include "clients/cli/talk.h"

namespace tokensim::cli {

bool RunResults::Open() {
  for (const std::string& text : options_.assertions) {
    absl::StatusOr<Assertion> assertion = ParseAssertion(text);
    if (!assertion.ok()) {
      PrintError(std::string(assertion.status().message()));
      return false;
    }
    assertions_.push_back(*std::move(assertion));
  }
  if (options_.bench != nullptr) files_.KeepRecords();
  return files_.Open(options_.requests_file, options_.events_file, options_.kinds);
}

ExitCode RunResults::Finish(const v1::Report& report) {
  const bool files_written = files_.Close(report);
  if (options_.bench != nullptr) {
    options_.bench(files_.records(), report.spec_name(), std::cout);
  } else {
    options_.format->print(report);
  }
  std::cout.flush();
  std::vector<AssertionResult> results;
  bool all_hold = true;
  for (const Assertion& assertion : assertions_) {
    results.push_back(Evaluate(assertion, report));
    const AssertionResult& result = results.back();
    all_hold &= result.holds;
    if (result.holds && talk_.quiet) continue;
    std::cerr << (result.holds ? "holds:  " : "MISSED: ") << result.text << "  (" << result.measured
              << ")\n";
  }
  const bool summary_written = WriteSummaryFile(report, results);
  const bool junit_written =
      WriteJunitFile(report.spec_name(), report.execution().wall_seconds(), "", std::move(results));
  if (!files_written || !summary_written || !junit_written || !std::cout)
    return ExitCode::kRunFailed;
  return all_hold ? ExitCode::kOk : ExitCode::kAssertionMissed;
}

ExitCode RunResults::Fail(const std::string& spec_name, const std::string& error) {
  PrintError(error);
  (void)WriteJunitFile(spec_name, 0, error, {});
  return ExitCode::kRunFailed;
}

bool RunResults::WriteSummaryFile(const v1::Report& report,
                                  const std::vector<AssertionResult>& assertions) {
  if (options_.summary_file.empty()) return true;
  std::ofstream out(options_.summary_file, std::ios::app);
  WriteMarkdownSummary(report, assertions, out);
  out.close();
  if (!out) PrintError(options_.summary_file + ": " + std::strerror(errno));
  return !out.fail();
}

bool RunResults::WriteJunitFile(const std::string& suite, double wall_seconds,
                                const std::string& run_error,
                                std::vector<AssertionResult> assertions) {
  if (options_.junit_file.empty()) return true;
  std::ofstream out(options_.junit_file);
  WriteJunit({suite, wall_seconds, run_error, std::move(assertions)}, out);
  out.close();
  if (!out) PrintError(options_.junit_file + ": " + std::strerror(errno));
  return !out.fail();
}

}  // namespace tokensim::cli
