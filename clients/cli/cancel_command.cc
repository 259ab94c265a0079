// `tokensim cancel`: ends a simulation before its time.
#include <iostream>
#include <memory>

#include "clients/cli/commands.h"
#include "clients/cli/options.h"
#include "clients/cli/talk.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim cancel nightly-17 --reason 'wrong model')";

struct CancelOptions {
  std::string name;
  std::string reason;
  ServerOptions server;
  TalkOptions talk;
};

ExitCode RunCancel(const CancelOptions& options) {
  client::Client client(ToClientOptions(options.server, options.talk.quiet));
  v1::CancelSimulationRequest request;
  request.set_name(FullName(options.name));
  request.set_reason(options.reason);
  const client::Result<v1::Simulation> simulation = client.CancelSimulation(request);
  if (!simulation.ok()) return PrintServerError(simulation.error(), options.server.server);
  std::cout << simulation.value().name() << ' '
            << v1::Simulation::State_Name(simulation.value().state()) << '\n';
  return ExitCode::kOk;
}

}  // namespace

void AddCancelCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<CancelOptions>();
  CLI::App* command = app.add_subcommand("cancel", "Cancel a simulation");
  command->footer(kExamples);
  AddNameOption(command, &options->name);
  command->add_option("--reason", options->reason, "Kept with the simulation")->option_text("TEXT");
  AddServerOptions(command, &options->server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunCancel(*options); });
}

}  // namespace tokensim::cli
