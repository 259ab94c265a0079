// The exit codes of `tokensim`: a contract that scripts rely on (docs/cli.md).
#pragma once

#include "clients/cpp/error.h"

namespace tokensim::cli {

enum class ExitCode {
  kOk = 0,
  kRunFailed = 1,
  kUsage = 2,
  kSpecInvalid = 3,
  kAssertionMissed = 4,
  kUnreachable = 5,
  kRefused = 6,
  kInterrupted = 130,
};

// What an error of the server means to a script.
[[nodiscard]] ExitCode ExitCodeOf(const client::Error& error);

}  // namespace tokensim::cli
