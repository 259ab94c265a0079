// Messages on stderr.
#pragma once

#include <string>

#include "clients/cli/exit_code.h"
#include "clients/cpp/error.h"

namespace tokensim::cli {

// "tokensim: message"
void PrintError(const std::string& message);

// What the server answered, each violation once, and what helps; whole lines.
[[nodiscard]] std::string ServerErrorText(const client::Error& error, const std::string& server);
// Tells that. Returns the exit code of the error.
ExitCode PrintServerError(const client::Error& error, const std::string& server);

}  // namespace tokensim::cli
