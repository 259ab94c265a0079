// `tokensim server-info`: versions, limits and load of the server.
#include <iostream>
#include <memory>

#include "clients/cli/commands.h"
#include "clients/cli/json.h"
#include "clients/cli/options.h"
#include "clients/cli/talk.h"
#include "clients/cli/text_table.h"
#include "clients/cli/units.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim server-info
  tokensim server-info --max-wait 30      wait for a server that is starting)";

struct ServerInfoOptions {
  Format format = Format::kTable;
  ServerOptions server;
  TalkOptions talk;
};

void PrintTable(const std::string& server, const v1::ServerInfo& info) {
  const auto yes = [](bool value) { return value ? "yes" : "no"; };
  TextTable table({Align::kLeft, Align::kLeft});
  table.AddRow({"Server", server});
  table.AddRow({"Version", info.version() + " (engine " + info.engine_version() + ", API " +
                               info.api_version() + ")"});
  table.AddRow({"Uptime", FormatSeconds(static_cast<double>(info.uptime().seconds()))});
  table.AddRow({"Simulations", FormatCount(info.active_simulations()) + " running, " +
                                   FormatCount(info.queued_simulations()) + " queued, " +
                                   FormatCount(info.simulation_threads()) + " threads"});
  table.AddRow({"Draining", yes(info.draining())});
  const v1::Limits& limits = info.limits();
  table.AddRow({"Limits", FormatBytes(limits.max_receive_message_bytes()) + " per message"});
  table.AddRow({"", FormatCount(limits.max_queued_simulations()) + " queued simulations"});
  table.AddRow({"", FormatCount(limits.max_stored_simulations()) + " stored simulations"});
  table.AddRow({"", FormatCount(limits.max_event_streams()) + " event streams"});
  table.AddRow({"", FormatCount(limits.max_requests_per_simulation()) + " requests and " +
                        FormatCount(limits.max_workers_per_simulation()) +
                        " workers per simulation"});
  const v1::Capabilities& capabilities = info.capabilities();
  table.AddRow({"Durable", yes(capabilities.durable())});
  table.AddRow({"Authentication", yes(capabilities.authentication())});
  table.AddRow({"Data directory", yes(capabilities.data_dir())});
  table.Print(std::cout);
}

ExitCode RunServerInfo(const ServerInfoOptions& options) {
  client::Client client(ToClientOptions(options.server, options.talk.quiet));
  const client::Result<v1::ServerInfo> info = client.GetServerInfo();
  if (!info.ok()) return PrintServerError(info.error(), options.server.server);
  if (options.format == Format::kJson) {
    PrintJson(info.value());
  } else {
    PrintTable(options.server.server, info.value());
  }
  return ExitCode::kOk;
}

}  // namespace

void AddServerInfoCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<ServerInfoOptions>();
  CLI::App* command =
      app.add_subcommand("server-info", "Show version, limits and load of a server");
  command->footer(kExamples);
  AddFormatOption(command, &options->format, {Format::kTable, Format::kJson});
  AddServerOptions(command, &options->server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunServerInfo(*options); });
}

}  // namespace tokensim::cli
