// `tokensim validate`: checks specs and says what they would do, without running them.
#include <iostream>
#include <memory>
#include <string>

#include "clients/cli/commands.h"
#include "clients/cli/json.h"
#include "clients/cli/options.h"
#include "clients/cli/printable.h"
#include "clients/cli/remote_run.h"
#include "clients/cli/spec_input.h"
#include "clients/cli/talk.h"
#include "clients/cli/text_table.h"
#include "clients/cli/units.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim validate spec.yaml
  tokensim validate spec.yaml --set model=llama2-70b      would that fit?
  tokensim validate spec.yaml -o json | jq .resolved_spec
  tokensim validate spec.yaml --server 127.0.0.1:50051    as that server sees it
  tokensim validate spec.yaml --server 127.0.0.1:50051 --server-files    with its files)";

struct ValidateOptions {
  SpecOptions spec;
  Format format = Format::kTable;
  std::string server;  // empty: check here
  bool server_files = false;
  TalkOptions talk;
};

// "1 group of 32 tokens".
std::string GroupText(const v1::KvGroupEstimate& group) {
  std::string text = FormatCount(group.count()) + (group.count() == 1 ? " group" : " groups");
  if (group.state_blocks() > 0) {
    return text + " of states, " + FormatCount(group.state_blocks()) + " a request";
  }
  text += " of " + FormatCount(group.block_size()) + " tokens";
  if (group.sliding_window() > 0) text += ", window " + FormatCount(group.sliding_window());
  if (group.chunk() > 0) text += ", chunks of " + FormatCount(group.chunk());
  return text;
}

// Where layers do not all keep every token.
void PrintKvGroups(const v1::WorkerEstimate& worker) {
  if (worker.kv_groups().empty()) return;
  std::cout << "\nKV blocks of " << Printable(worker.group()) << ", "
            << FormatBytes(worker.kv_block_bytes()) << " each:\n";
  for (const v1::KvGroupEstimate& group : worker.kv_groups()) {
    std::cout << "  " << GroupText(group) << '\n';
  }
}

void PrintEstimate(const SpecInput& input, const v1::Estimate& estimate) {
  std::cout << Printable(input.file) << ": valid\n"
            << "Name      " << Printable(input.spec.name()) << '\n'
            << "Digest    " << estimate.spec_digest() << '\n'
            << "Requests  " << FormatCount(estimate.requests()) << '\n'
            << "Estimate  " << FormatSeconds(estimate.estimated_wall_seconds()) << " to run, "
            << FormatBytes(estimate.estimated_memory_bytes()) << " of memory\n\n";
  TextTable table(
      {Align::kLeft, Align::kRight, Align::kRight, Align::kRight, Align::kRight, Align::kRight});
  table.AddRow({"Workers", "count", "weights/device", "KV/token", "KV blocks", "KV tokens"});
  for (const v1::WorkerEstimate& worker : estimate.workers()) {
    table.AddRow({worker.group(), FormatCount(worker.count()),
                  FormatBytes(worker.weight_bytes_per_device()),
                  FormatBytes(worker.kv_bytes_per_token()), FormatCount(worker.kv_blocks()),
                  FormatCount(worker.kv_tokens())});
  }
  table.Print(std::cout);
  for (const v1::WorkerEstimate& worker : estimate.workers()) PrintKvGroups(worker);
}

bool HasErrors(const v1::Estimate& estimate) {
  for (const v1::Finding& finding : estimate.findings()) {
    if (finding.severity() == v1::Finding::ERROR) return true;
  }
  return false;
}

// What the server finds in the spec: as resolved here, so traces need not be readable there; as given
// when only the server can read its files.
ExitCode EstimateRemotely(const ValidateOptions& options, const SpecInput& input,
                          v1::Estimate* estimate) {
  client::Client client(ToClientOptions({.server = options.server}, options.talk.quiet));
  v1::EstimateSimulationRequest request;
  *request.mutable_spec() = options.server_files ? input.spec : input.prepared.resolved;
  const client::Result<v1::Estimate> result = client.EstimateSimulation(request);
  if (!result.ok()) return PrintServerError(result.error(), options.server);
  *estimate = result.value();
  for (const v1::Finding& finding : estimate->findings()) {
    std::cerr << FindingText(input, finding) << '\n';
  }
  return HasErrors(*estimate) ? ExitCode::kSpecInvalid : ExitCode::kOk;
}

ExitCode RunValidate(const ValidateOptions& options) {
  SpecInput input;
  CreateOptions send;
  send.server_files = options.server_files;
  ExitCode code = LoadSpecToSend(options.spec, send, options.talk.quiet, &input);
  v1::Estimate estimate = ToEstimate(input.prepared);
  if (code == ExitCode::kOk && !options.server.empty()) {
    code = EstimateRemotely(options, input, &estimate);
  }
  if (code == ExitCode::kUsage && input.errors.empty()) return code;  // there is no spec
  if (code != ExitCode::kOk && code != ExitCode::kSpecInvalid && code != ExitCode::kUsage) {
    return code;
  }
  if (options.format == Format::kJson) {
    PrintJson(estimate);
  } else if (code == ExitCode::kOk) {
    PrintEstimate(input, estimate);
  }
  return code;
}

}  // namespace

void AddValidateCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<ValidateOptions>();
  CLI::App* command =
      app.add_subcommand("validate", "Check a spec and estimate its size, without running it");
  command->footer(kExamples);
  AddSpecOptions(command, &options->spec);
  AddFormatOption(command, &options->format, {Format::kTable, Format::kJson});
  CLI::Option* server =
      command->add_option("--server", options->server, "Check there as well")->option_text("ADDR");
  AddServerFilesOption(command, &options->server_files)->needs(server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunValidate(*options); });
}

}  // namespace tokensim::cli
