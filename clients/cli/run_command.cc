// `tokensim run`: submit, follow, report; or all of it in this process.
#include <iostream>
#include <memory>

#include "clients/cli/commands.h"
#include "clients/cli/local_run.h"
#include "clients/cli/options.h"
#include "clients/cli/remote_run.h"
#include "clients/cli/remote_session.h"
#include "clients/cli/results.h"
#include "clients/cli/spec_input.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim run spec.yaml --local
  tokensim run spec.yaml --local --set workload.arrival.poisson.rate_per_second=12 --seed 7
  tokensim run spec.yaml --requests requests.csv --events events.jsonl
  tokensim run spec.yaml --local --operators
  tokensim run spec.yaml -o json > report.json
  tokensim run spec.yaml --assert 'ttft.p99 <= 500ms' --assert 'slo.attainment >= 99%' \
                         --junit results.xml
Assertions: METRIC.STATISTIC OPERATOR NUMBER[UNIT] with ttft, tpot, e2e, queueing,
  normalized_latency, max_itl, input_tokens, output_tokens x mean, stddev, min, p50, p90, p95, p99,
  max; throughput.requests_per_second, throughput.output_tokens_per_second, slo.attainment, goodput,
  requests.rejected, ... (the rows of -o csv); operators < <= > >= ==; units ns us ms s min %.
Ctrl-C detaches from a remote run, which goes on; `tokensim watch NAME` comes back to it.)";

struct RunOptions {
  SpecOptions spec;
  bool local = false;
  bool operators = false;
  ServerOptions server;
  CreateOptions create;
  ResultOptions results;
  TalkOptions talk;
};

ExitCode RunRemote(const RunOptions& options, const SpecInput& input, RunResults* results) {
  RemoteSession session(options.server, options.talk);
  v1::Simulation created;
  const ExitCode code = Submit(session.client, input, options.create, session.server, &created);
  if (code != ExitCode::kOk) return code;
  if (!options.talk.quiet) std::cerr << "submitted " << created.name() << '\n';
  return Follow(session, created.name(), options.talk, results);
}

ExitCode Run(const RunOptions& options) {
  RunResults results(options.results, options.talk);
  SpecInput input;
  const ExitCode code =
      options.local ? LoadSpec(options.spec, options.talk.quiet, &input)
                    : LoadSpecToSend(options.spec, options.create, options.talk.quiet, &input);
  if (code != ExitCode::kOk) return code;
  if (!results.Open()) return ExitCode::kUsage;
  return options.local ? RunLocal(input, options.talk, options.operators, &results)
                       : RunRemote(options, input, &results);
}

}  // namespace

void AddRunCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "Run a spec and print its report");
  command->footer(kExamples);
  AddSpecOptions(command, &options->spec);
  CLI::Option* local =
      command->add_flag("--local", options->local, "Run in this process, without a server");
  command
      ->add_flag("--operators", options->operators,
                 "Report the time of each operator, per iteration (with --local; slow)")
      ->needs(local);
  AddResultOptions(command, &options->results);
  AddServerOptions(command, &options->server);
  AddCreateOptions(command, &options->create);
  command->get_option("--server-files")->excludes(local);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = Run(*options); });
}

}  // namespace tokensim::cli
