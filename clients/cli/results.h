// What happens with the results of a run, local or remote: files, report, assertions, JUnit.
//
//   Results results(options);
//   if (!results.Open()) return ExitCode::kUsage;    // before the run
//   ... results.files().AddBatch(batch) ...
//   return results.Finish(report);                   // or results.Fail(...)
#pragma once

#include <string>
#include <vector>

#include "clients/cli/assertion.h"
#include "clients/cli/exit_code.h"
#include "clients/cli/options.h"
#include "clients/cli/result_files.h"

namespace tokensim::cli {

class RunResults {
 public:
  RunResults(const ResultOptions& options, const TalkOptions& talk)
      : options_(options), talk_(talk) {}

  // Reads the assertions and opens the files; tells stderr what is wrong.
  [[nodiscard]] bool Open();
  [[nodiscard]] ResultFiles& files() { return files_; }

  // The run succeeded: completes the files, prints the report, checks the assertions.
  [[nodiscard]] ExitCode Finish(const v1::Report& report);
  // The run failed.
  [[nodiscard]] ExitCode Fail(const std::string& spec_name, const std::string& error);

 private:
  [[nodiscard]] bool WriteSummaryFile(const v1::Report& report,
                                      const std::vector<AssertionResult>& assertions);
  [[nodiscard]] bool WriteJunitFile(const std::string& suite, double wall_seconds,
                                    const std::string& run_error,
                                    std::vector<AssertionResult> assertions);

  const ResultOptions& options_;
  const TalkOptions& talk_;
  std::vector<Assertion> assertions_;
  ResultFiles files_;
};

}  // namespace tokensim::cli
