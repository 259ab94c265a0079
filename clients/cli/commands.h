// The subcommands of `tokensim`, one file each (<name>_command.cc).
//
// Each function adds a subcommand to `app`; when the user names it, parsing runs it and stores its
// exit code in `*exit_code`.
#pragma once

#include <CLI/CLI.hpp>

#include "clients/cli/exit_code.h"

namespace tokensim::cli {

void AddRunCommand(CLI::App& app, ExitCode* exit_code);
void AddSweepCommand(CLI::App& app, ExitCode* exit_code);
void AddCapacityCommand(CLI::App& app, ExitCode* exit_code);
void AddOptimizeCommand(CLI::App& app, ExitCode* exit_code);
void AddCompareCommand(CLI::App& app, ExitCode* exit_code);
void AddVerifyCommand(CLI::App& app, ExitCode* exit_code);
void AddSubmitCommand(CLI::App& app, ExitCode* exit_code);
void AddWatchCommand(CLI::App& app, ExitCode* exit_code);
void AddEventsCommand(CLI::App& app, ExitCode* exit_code);
void AddTraceCommand(CLI::App& app, ExitCode* exit_code);
void AddRequestsCommand(CLI::App& app, ExitCode* exit_code);
void AddReportCommand(CLI::App& app, ExitCode* exit_code);
void AddGetCommand(CLI::App& app, ExitCode* exit_code);
void AddListCommand(CLI::App& app, ExitCode* exit_code);
void AddCancelCommand(CLI::App& app, ExitCode* exit_code);
void AddDeleteCommand(CLI::App& app, ExitCode* exit_code);
void AddValidateCommand(CLI::App& app, ExitCode* exit_code);
void AddCatalogCommand(CLI::App& app, ExitCode* exit_code);
void AddAccuracyCommand(CLI::App& app, ExitCode* exit_code);
void AddModelCommand(CLI::App& app, ExitCode* exit_code);
void AddCalibrateCommand(CLI::App& app, ExitCode* exit_code);
void AddServerInfoCommand(CLI::App& app, ExitCode* exit_code);
void AddVersionCommand(CLI::App& app, ExitCode* exit_code);

}  // namespace tokensim::cli
