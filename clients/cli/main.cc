// `tokensim`: simulate LLM inference serving, here or on a server. docs/cli.md is the reference.
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <new>
#include <string>

#include "clients/cli/commands.h"
#include "clients/cli/talk.h"

namespace tokensim::cli {
namespace {

constexpr char kDescription[] =
    "TokenSim simulates LLM inference serving: a spec goes in, latencies and throughput come out.";

constexpr char kExamples[] = R"(Start here:
  tokensim run configs/examples/llama2-7b-a100-sharegpt.yaml --local   run in this process
  tokensim validate my.yaml                                            check a spec
  tokensim catalog models                                              what a spec can name
  tokensim run my.yaml                                                 run on a server

Exit codes: 0 ok, 1 run failed, 2 usage, 3 spec invalid, 4 assertion missed, 5 server unreachable,
6 refused by the server, 130 interrupted. stdout is data, stderr is talk.)";

// The exit code once stdout has taken all data: a full disk fails a command that did not fail before.
int Finish(ExitCode exit_code) {
  errno = 0;
  std::cout.flush();
  if (std::cout) return static_cast<int>(exit_code);
  PrintError(std::string("cannot write to standard output") +
             (errno == 0 ? "" : std::string(": ") + std::strerror(errno)));
  return static_cast<int>(exit_code == ExitCode::kOk ? ExitCode::kRunFailed : exit_code);
}

int Main(int argc, char** argv) {
  CLI::App app(kDescription, "tokensim");
  app.footer(kExamples);
  app.require_subcommand(1);
  ExitCode exit_code = ExitCode::kOk;
  for (auto* add :
       {AddRunCommand,     AddSweepCommand,      AddCapacityCommand,  AddOptimizeCommand,
        AddCompareCommand, AddVerifyCommand,     AddSubmitCommand,    AddWatchCommand,
        AddEventsCommand,  AddRequestsCommand,   AddReportCommand,    AddGetCommand,
        AddListCommand,    AddCancelCommand,     AddDeleteCommand,    AddValidateCommand,
        AddCatalogCommand, AddAccuracyCommand,   AddCalibrateCommand, AddModelCommand,
        AddTraceCommand,   AddServerInfoCommand, AddVersionCommand}) {
    add(app, &exit_code);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Finish(app.exit(error) == 0 ? ExitCode::kOk : ExitCode::kUsage);
  } catch (const std::bad_alloc&) {
    std::cerr << "tokensim: not enough memory (`tokensim validate` estimates what a run takes)\n";
    return static_cast<int>(ExitCode::kRunFailed);
  }
  return Finish(exit_code);
}

}  // namespace
}  // namespace tokensim::cli

int main(int argc, char** argv) { return tokensim::cli::Main(argc, argv); }
