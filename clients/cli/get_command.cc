// `tokensim get`: a simulation as the server knows it.
#include <iostream>
#include <memory>

#include "clients/cli/commands.h"
#include "clients/cli/json.h"
#include "clients/cli/options.h"
#include "clients/cli/simulation_output.h"
#include "clients/cli/talk.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim get nightly-17
  tokensim get nightly-17 -o json      with the resolved spec and the report)";

struct GetOptions {
  std::string name;
  Format format = Format::kTable;
  ServerOptions server;
  TalkOptions talk;
};

ExitCode RunGet(const GetOptions& options) {
  client::Client client(ToClientOptions(options.server, options.talk.quiet));
  v1::GetSimulationRequest request;
  request.set_name(FullName(options.name));
  const client::Result<v1::Simulation> simulation = client.GetSimulation(request);
  if (!simulation.ok()) return PrintServerError(simulation.error(), options.server.server);
  if (options.format == Format::kJson) {
    PrintJson(simulation.value());
  } else {
    WriteSimulation(simulation.value(), std::cout);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddGetCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<GetOptions>();
  CLI::App* command = app.add_subcommand("get", "Show a simulation");
  command->footer(kExamples);
  AddNameOption(command, &options->name);
  AddFormatOption(command, &options->format, {Format::kTable, Format::kJson});
  AddServerOptions(command, &options->server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunGet(*options); });
}

}  // namespace tokensim::cli
