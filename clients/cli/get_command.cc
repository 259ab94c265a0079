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
  tokensim get nightly-17 -o json            with the resolved spec and the report
  tokensim get nightly-17 -o json --trace    also with the rows of a long trace)";

struct GetOptions {
  std::string name;
  Format format = Format::kTable;
  bool trace = false;
  ServerOptions server;
  TalkOptions talk;
};

ExitCode RunGet(const GetOptions& options) {
  client::Client client(ToClientOptions(options.server, options.talk.quiet));
  v1::GetSimulationRequest request;
  request.set_name(FullName(options.name));
  if (options.format == Format::kTable) request.set_view(v1::SIMULATION_VIEW_BASIC);
  if (options.trace) request.set_view(v1::SIMULATION_VIEW_FULL);
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
  command->add_flag("--trace", options->trace, "With the rows of a trace of more than 1,000 rows");
  AddServerOptions(command, &options->server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunGet(*options); });
}

}  // namespace tokensim::cli
