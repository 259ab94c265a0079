// `tokensim watch`: follows a simulation to its end and prints its report.
#include <memory>

#include "clients/cli/commands.h"
#include "clients/cli/options.h"
#include "clients/cli/remote_run.h"
#include "clients/cli/remote_session.h"
#include "clients/cli/results.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim watch nightly-17
  tokensim watch nightly-17 -o json --requests requests.csv --assert 'ttft.p99 <= 500ms')";

struct WatchOptions {
  std::string name;
  ResultOptions results;
  ServerOptions server;
  TalkOptions talk;
};

ExitCode RunWatch(const WatchOptions& options) {
  RunResults results(options.results, options.talk);
  if (!results.Open()) return ExitCode::kUsage;
  RemoteSession session(options.server, options.talk);
  return Follow(session, FullName(options.name), options.talk, &results);
}

}  // namespace

void AddWatchCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<WatchOptions>();
  CLI::App* command = app.add_subcommand("watch", "Follow a simulation and print its report");
  command->footer(kExamples);
  AddNameOption(command, &options->name);
  AddResultOptions(command, &options->results);
  AddServerOptions(command, &options->server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunWatch(*options); });
}

}  // namespace tokensim::cli
