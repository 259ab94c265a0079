// `tokensim trace`: a run as a file that Perfetto opens.
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "clients/cli/commands.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/options.h"
#include "clients/cli/output_file.h"
#include "clients/cli/progress_bar.h"
#include "clients/cli/remote_session.h"
#include "clients/cli/spec_input.h"
#include "clients/cli/talk.h"
#include "clients/cli/units.h"
#include "engine/io/events/replay_reader.h"
#include "engine/io/perfetto/trace_writer.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim trace spec.yaml -o run.pftrace
  tokensim trace spec.yaml --set seed=7 --from 60 --to 90 -o minute.pftrace
  tokensim trace nightly-17 --requests 17,18 -o two.pftrace
Open the file at https://ui.perfetto.dev (it stays in the browser). Workers are processes with their
iterations and counters; requests are bars, and arrows lead to what happened to them. The viewer is
at ease with files below 100 MB: --from, --to, --workers, --requests and --sample cut out a part.)";

// Engine events between two looks at Ctrl-C: about 10 ms.
constexpr int64_t kSliceEvents = 50'000;

struct TraceOptions {
  std::string subject;
  std::string output;
  SpecOptions spec;  // of a file: its overrides
  double from_seconds = 0;
  double to_seconds = 0;
  EventSelection selection;
  ServerOptions server;
  TalkOptions talk;
};

v1::EventFilter FilterOf(const TraceOptions& options) {
  v1::EventFilter filter;
  for (const v1::EventKind kind : TraceEventKinds()) filter.add_kinds(kind);
  SetSelection(options.selection, &filter);
  filter.set_start_time_ns(static_cast<int64_t>(options.from_seconds * 1e9));
  filter.set_end_time_ns(static_cast<int64_t>(options.to_seconds * 1e9));
  return filter;
}

void Write(const v1::EventBatch& batch, TraceWriter* trace, OutputFile* file) {
  for (const v1::Event& event : batch.events()) trace->Add(event);
  const std::string bytes = trace->TakeBytes();
  file->stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// The run of a specification, in this process.
ExitCode TraceSpec(const TraceOptions& options, OutputFile* file) {
  SpecOptions spec = options.spec;
  spec.file = options.subject;
  SpecInput input;
  if (const ExitCode code = LoadSpec(spec, options.talk.quiet, &input); code != ExitCode::kOk) {
    return code;
  }
  std::vector<std::string> names;
  for (const WorkerPlan& worker : input.prepared.plan->workers) names.push_back(worker.name);
  TraceWriter trace(std::move(names));
  ReplayOptions replay;
  replay.filter = FilterOf(options);
  if (const auto problem = CheckReplayOptions(replay)) {
    PrintError(problem->field + " " + problem->what);
    return ExitCode::kUsage;
  }
  Interrupt interrupt;
  ProgressBar bar(options.talk);
  ReplayReader reader(input.prepared.plan, std::move(replay));
  v1::EventBatch batch;
  for (;;) {
    const ReplayReader::Outcome outcome = reader.Read(kSliceEvents, &batch);
    if (outcome == ReplayReader::Outcome::kFailed) {
      PrintError(std::string(reader.status().message()));
      return ExitCode::kRunFailed;
    }
    Write(batch, &trace, file);
    if (outcome == ReplayReader::Outcome::kEnd) return ExitCode::kOk;
    if (interrupt.requested()) {
      PrintError("interrupted");
      return ExitCode::kInterrupted;
    }
    bar.Update(-1, "writing event " + FormatCount(batch.covered_through()));
  }
}

// A simulation on the server.
ExitCode TraceSimulation(const TraceOptions& options, OutputFile* file) {
  RemoteSession session(options.server, options.talk);
  v1::GetSimulationRequest get;
  get.set_name(FullName(options.subject));
  get.set_view(v1::SIMULATION_VIEW_FULL);
  const client::Result<v1::Simulation> simulation = session.client.GetSimulation(get);
  if (!simulation.ok()) return PrintServerError(simulation.error(), session.server);
  std::vector<std::string> names;
  for (const v1::WorkerReport& worker : simulation.value().report().workers()) {
    names.push_back(worker.name());
  }
  TraceWriter trace(std::move(names));
  v1::StreamEventsRequest request;
  request.set_name(get.name());
  *request.mutable_filter() = FilterOf(options);
  const auto stream = session.client.StreamEvents(request);
  for (v1::EventBatch batch; stream->Next(&batch);) Write(batch, &trace, file);
  if (!stream->error()) return ExitCode::kOk;
  if (session.interrupt.requested()) {
    PrintError("interrupted");
    return ExitCode::kInterrupted;
  }
  return PrintServerError(*stream->error(), session.server);
}

ExitCode RunTrace(const TraceOptions& options) {
  std::error_code ignored;
  const bool is_file =
      options.subject == "-" || std::filesystem::is_regular_file(options.subject, ignored);
  if (!is_file && (!options.spec.sets.empty() || options.spec.seed)) {
    PrintError("--set and --seed need a specification; there is no file " + options.subject);
    return ExitCode::kUsage;
  }
  if (options.to_seconds > 0 && options.to_seconds <= options.from_seconds) {
    PrintError("--to must be later than --from");
    return ExitCode::kUsage;
  }
  OutputFile file;
  if (!file.Open(options.output)) return ExitCode::kUsage;
  const ExitCode code = is_file ? TraceSpec(options, &file) : TraceSimulation(options, &file);
  if (code != ExitCode::kOk) return code;
  return file.Close() ? ExitCode::kOk : ExitCode::kRunFailed;
}

}  // namespace

void AddTraceCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<TraceOptions>();
  CLI::App* command = app.add_subcommand("trace", "Write a run as a trace for Perfetto");
  command->footer(kExamples);
  command
      ->add_option("subject", options->subject,
                   "A specification, run in this process, or a simulation on the server")
      ->required()
      ->option_text("SPEC|NAME");
  command->add_option("-o,--output", options->output, "The trace, as run.pftrace")
      ->required()
      ->option_text("FILE");
  AddOverrideOptions(command, &options->spec);
  const auto seconds = [] {
    return RealNumber("seconds from 0 to 1e9", [](double s) { return s >= 0 && s <= 1e9; });
  };
  command->add_option("--from", options->from_seconds, "Only events from this simulated time on")
      ->check(seconds())
      ->option_text("SECONDS");
  command->add_option("--to", options->to_seconds, "Only events before this simulated time")
      ->check(seconds())
      ->option_text("SECONDS");
  AddSelectionOptions(command, &options->selection);
  AddServerOptions(command, &options->server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunTrace(*options); });
}

}  // namespace tokensim::cli
