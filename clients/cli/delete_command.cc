// `tokensim delete`: removes a simulation from the server.
#include <memory>

#include "clients/cli/commands.h"
#include "clients/cli/options.h"
#include "clients/cli/talk.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim delete nightly-17
  tokensim delete nightly-17 --force      cancel it first when it is not ended)";

struct DeleteOptions {
  std::string name;
  bool force = false;
  ServerOptions server;
  TalkOptions talk;
};

ExitCode RunDelete(const DeleteOptions& options) {
  client::Client client(ToClientOptions(options.server, options.talk.quiet));
  v1::DeleteSimulationRequest request;
  request.set_name(FullName(options.name));
  request.set_force(options.force);
  const std::optional<client::Error> error = client.DeleteSimulation(request);
  return error ? PrintServerError(*error, options.server.server) : ExitCode::kOk;
}

}  // namespace

void AddDeleteCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<DeleteOptions>();
  CLI::App* command = app.add_subcommand("delete", "Delete a simulation and its results");
  command->footer(kExamples);
  AddNameOption(command, &options->name);
  command->add_flag("--force", options->force, "Cancel it first when it is active");
  AddServerOptions(command, &options->server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunDelete(*options); });
}

}  // namespace tokensim::cli
