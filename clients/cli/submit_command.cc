// `tokensim submit`: creates a simulation on the server and prints its name.
#include <iostream>
#include <memory>

#include "clients/cli/commands.h"
#include "clients/cli/json.h"
#include "clients/cli/options.h"
#include "clients/cli/remote_run.h"
#include "clients/cli/spec_input.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim submit spec.yaml
  name=$(tokensim submit spec.yaml --id nightly-17 --labels team=infra) && tokensim watch $name)";

struct SubmitOptions {
  SpecOptions spec;
  ServerOptions server;
  CreateOptions create;
  TalkOptions talk;
  Format format = Format::kTable;
};

ExitCode RunSubmit(const SubmitOptions& options) {
  SpecInput input;
  ExitCode code = LoadSpecToSend(options.spec, options.create, options.talk.quiet, &input);
  if (code != ExitCode::kOk) return code;
  client::Client client(ToClientOptions(options.server, options.talk.quiet));
  v1::Simulation created;
  code = Submit(client, input, options.create, options.server.server, &created);
  if (code != ExitCode::kOk) return code;
  if (options.format == Format::kJson) {
    PrintJson(created);
  } else {
    std::cout << created.name() << '\n';
  }
  return ExitCode::kOk;
}

}  // namespace

void AddSubmitCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<SubmitOptions>();
  CLI::App* command = app.add_subcommand("submit", "Create a simulation and print its name");
  command->footer(kExamples);
  AddSpecOptions(command, &options->spec);
  AddFormatOption(command, &options->format, {Format::kTable, Format::kJson});
  AddServerOptions(command, &options->server);
  AddCreateOptions(command, &options->create);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunSubmit(*options); });
}

}  // namespace tokensim::cli
