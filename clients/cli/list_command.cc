// `tokensim list`: the simulations of the server, newest first.
#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

#include "clients/cli/commands.h"
#include "clients/cli/json.h"
#include "clients/cli/options.h"
#include "clients/cli/simulation_output.h"
#include "clients/cli/talk.h"
#include "clients/cli/text_table.h"
#include "clients/cli/units.h"
#include "google/protobuf/util/time_util.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim list
  tokensim list --filter 'state = RUNNING' --limit 0
  tokensim list --filter 'labels.team = "infra" AND state = FAILED' -o csv
Filters: conditions on state, spec.name and labels.KEY, joined by AND.)";

constexpr int kPageSize = 500;

struct ListOptions {
  std::string filter;
  int limit = 50;
  Format format = Format::kTable;
  ServerOptions server;
  TalkOptions talk;
};

// Up to `limit` simulations (0: all), page by page.
client::Result<v1::ListSimulationsResponse> ListAll(client::Client& client,
                                                    const std::string& filter, int limit) {
  v1::ListSimulationsResponse all;
  v1::ListSimulationsRequest request;
  request.set_filter(filter);
  do {
    const int missing = limit > 0 ? limit - all.simulations_size() : kPageSize;
    request.set_page_size(std::min(kPageSize, missing));
    client::Result<v1::ListSimulationsResponse> page = client.ListSimulations(request);
    if (!page.ok()) return page;
    all.set_next_page_token(page.value().next_page_token());
    request.set_page_token(page.value().next_page_token());
    for (v1::Simulation& simulation : *page.value().mutable_simulations()) {
      *all.add_simulations() = std::move(simulation);
    }
  } while (!all.next_page_token().empty() && (limit == 0 || all.simulations_size() < limit));
  return all;
}

std::vector<std::string> Row(const v1::Simulation& simulation) {
  return {simulation.name(),
          v1::Simulation::State_Name(simulation.state()),
          google::protobuf::util::TimeUtil::ToString(simulation.create_time()),
          std::to_string(simulation.progress().requests_finished()),
          std::to_string(simulation.progress().requests_total()),
          LabelsText(simulation)};
}

const std::vector<std::string> kHeader = {"name",     "state", "created",
                                          "finished", "total", "labels"};

void PrintTable(const v1::ListSimulationsResponse& list) {
  TextTable table(
      {Align::kLeft, Align::kLeft, Align::kLeft, Align::kRight, Align::kRight, Align::kLeft});
  table.AddRow(kHeader);
  for (const v1::Simulation& simulation : list.simulations()) table.AddRow(Row(simulation));
  table.Print(std::cout);
}

// Label values may hold what CSV gives a meaning to.
std::string CsvCell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

void PrintCsv(const v1::ListSimulationsResponse& list) {
  const auto print = [](const std::vector<std::string>& row) {
    for (size_t i = 0; i < row.size(); ++i) std::cout << (i > 0 ? "," : "") << CsvCell(row[i]);
    std::cout << '\n';
  };
  print(kHeader);
  for (const v1::Simulation& simulation : list.simulations()) print(Row(simulation));
}

ExitCode RunList(const ListOptions& options) {
  client::Client client(ToClientOptions(options.server, options.talk.quiet));
  const auto list = ListAll(client, options.filter, options.limit);
  if (!list.ok()) return PrintServerError(list.error(), options.server.server);
  switch (options.format) {
    case Format::kTable:
      PrintTable(list.value());
      break;
    case Format::kJson:
      PrintJson(list.value());
      break;
    case Format::kCsv:
      PrintCsv(list.value());
      break;
  }
  if (!list.value().next_page_token().empty() && !options.talk.quiet) {
    std::cerr << "there are more; --limit 0 shows all\n";
  }
  return ExitCode::kOk;
}

}  // namespace

void AddListCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* command = app.add_subcommand("list", "List the simulations of the server");
  command->footer(kExamples);
  command->add_option("--filter", options->filter, "Only those that match")->option_text("EXPR");
  command->add_option("--limit", options->limit, "At most this many; 0: all")
      ->check(WholeNumber(INT32_MAX))
      ->option_text("N=50");
  AddFormatOption(command, &options->format, {Format::kTable, Format::kJson, Format::kCsv});
  AddServerOptions(command, &options->server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunList(*options); });
}

}  // namespace tokensim::cli
