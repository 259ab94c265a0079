// `tokensim requests`: one row per request of a simulation on the server.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "clients/cli/commands.h"
#include "clients/cli/options.h"
#include "clients/cli/remote_session.h"
#include "clients/cli/talk.h"
#include "engine/io/report/encode.h"
#include "engine/report/export.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim requests nightly-17 > requests.csv
  tokensim requests nightly-17 -o json > requests.jsonl)";

struct RequestsOptions {
  std::string name;
  Format format = Format::kCsv;
  ServerOptions server;
  TalkOptions talk;
};

ExitCode RunRequests(const RequestsOptions& options) {
  v1::StreamEventsRequest request;
  request.set_name(FullName(options.name));
  request.mutable_filter()->add_kinds(v1::EVENT_KIND_REQUEST_FINISHED);
  request.mutable_filter()->add_kinds(v1::EVENT_KIND_REQUEST_REJECTED);
  RequestTable records;
  RemoteSession session(options.server, options.talk);
  const auto stream = session.client.StreamEvents(request);
  for (v1::EventBatch batch; stream->Next(&batch);) {
    for (const v1::Event& event : batch.events()) {
      if (event.has_request_finished()) {
        records.Add(FromProto(event.request_finished().record()));
      } else if (event.has_request_rejected()) {
        records.Add(FromProto(event.request_rejected().record()));
      }
    }
  }
  if (stream->error()) return PrintServerError(*stream->error(), session.server);
  v1::GetSimulationRequest get;
  get.set_name(request.name());
  const client::Result<v1::Simulation> simulation = session.client.GetSimulation(get);
  if (!simulation.ok()) return PrintServerError(simulation.error(), session.server);
  std::vector<std::string> classes;
  for (const v1::ClientClass& client_class : simulation.value().spec().workload().classes()) {
    classes.push_back(client_class.name());
  }
  if (options.format == Format::kCsv) {
    WriteRequestsCsv(records, classes, std::cout);
  } else {
    WriteRequestsJsonl(records, classes, std::cout);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddRequestsCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<RequestsOptions>();
  CLI::App* command = app.add_subcommand("requests", "Print one row per request of a simulation");
  command->footer(kExamples);
  AddNameOption(command, &options->name);
  AddFormatOption(command, &options->format, {Format::kCsv, Format::kJson});
  AddServerOptions(command, &options->server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunRequests(*options); });
}

}  // namespace tokensim::cli
