// Results of a run as a JUnit report, as CI systems read it.
//
// One test suite per run: the test case "run", and one per assertion.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "clients/cli/assertion.h"

namespace tokensim::cli {

struct JunitRun {
  std::string suite;  // name of the spec
  double wall_seconds = 0;
  std::string run_error;  // why the run failed; empty when it did not
  std::vector<AssertionResult> assertions;
};

void WriteJunit(const JunitRun& run, std::ostream& out);

}  // namespace tokensim::cli
