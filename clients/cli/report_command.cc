// `tokensim report`: the report of a simulation that succeeded.
#include <memory>

#include "clients/cli/commands.h"
#include "clients/cli/options.h"
#include "clients/cli/report_output.h"
#include "clients/cli/talk.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim report nightly-17
  tokensim report nightly-17 -o csv | grep ttft)";

struct ReportOptions {
  std::string name;
  const ReportFormat* format = &kReportFormats[0];
  ServerOptions server;
  TalkOptions talk;
};

ExitCode RunReport(const ReportOptions& options) {
  client::Client client(ToClientOptions(options.server, options.talk.quiet));
  v1::GetReportRequest request;
  request.set_name(FullName(options.name));
  const client::Result<v1::Report> report = client.GetReport(request);
  if (!report.ok()) return PrintServerError(report.error(), options.server.server);
  options.format->print(report.value());
  return ExitCode::kOk;
}

}  // namespace

void AddReportCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* command = app.add_subcommand("report", "Print the report of an ended simulation");
  command->footer(kExamples);
  AddNameOption(command, &options->name);
  AddReportFormatOption(command, &options->format);
  AddServerOptions(command, &options->server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunReport(*options); });
}

}  // namespace tokensim::cli
