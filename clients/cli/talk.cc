#include "clients/cli/talk.h"

#include <iostream>

namespace tokensim::cli {

void PrintError(const std::string& message) { std::cerr << "tokensim: " << message << '\n'; }

ExitCode PrintServerError(const client::Error& error, const std::string& server) {
  PrintError(error.ToString());
  for (const client::FieldViolation& violation : error.violations) {
    std::cerr << "  " << violation.field << ": " << violation.description << '\n';
  }
  if (error.code == absl::StatusCode::kUnavailable && error.reason.empty()) {
    std::cerr << "  Is tokensimd running at " << server
              << "? --server or TOKENSIM_SERVER name another; run --local needs none.\n";
  }
  if (error.code == absl::StatusCode::kDeadlineExceeded) {
    std::cerr << "  " << server << " did not answer in time.\n";
  }
  return ExitCodeOf(error);
}

}  // namespace tokensim::cli
