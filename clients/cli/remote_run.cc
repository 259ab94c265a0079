#include "clients/cli/remote_run.h"

#include <cstdlib>
#include <iostream>
#include <utility>

#include "clients/cli/printable.h"
#include "clients/cli/progress_bar.h"
#include "clients/cli/talk.h"
#include "clients/cli/units.h"

namespace tokensim::cli {

namespace {

ExitCode Detached(const std::string& name) {
  std::cerr << "\ntokensim: detached; the simulation goes on\n  tokensim watch " << name
            << "    to see its report\n  tokensim cancel " << name << "   to end it\n";
  return ExitCode::kInterrupted;
}

// Violations of the server point to `simulation.spec.`; findings to the spec itself.
std::string SpecField(const std::string& field) {
  for (const std::string prefix : {"simulation.spec.", "spec."}) {
    if (field.starts_with(prefix)) return field.substr(prefix.size());
  }
  return field;
}

// The last state of the simulation, or the error that ended the watch.
client::Result<v1::Simulation> WatchToEnd(client::Client& client, const std::string& name,
                                          const TalkOptions& talk) {
  ProgressBar bar(talk);
  const auto watch = client.WatchSimulation(name);
  v1::Simulation simulation;
  while (watch->Next(&simulation)) {
    if (simulation.state() == v1::Simulation::PENDING) {
      bar.Update(-1, "queued on the server");
    } else {
      bar.Update(simulation.progress());
    }
  }
  if (watch->error()) return *watch->error();
  return simulation;
}

// The events the files need. Only what the engine numbered is read: one stream serves both files.
std::optional<client::Error> StreamResults(client::Client& client, const std::string& name,
                                           const TalkOptions& talk, ResultFiles* files) {
  v1::StreamEventsRequest request;
  request.set_name(name);
  if (files->wants_events()) {
    *request.mutable_filter() = files->filter();
  } else {
    request.mutable_filter()->add_kinds(v1::EVENT_KIND_REQUEST_FINISHED);
    request.mutable_filter()->add_kinds(v1::EVENT_KIND_REQUEST_REJECTED);
  }
  ProgressBar bar(talk);
  const auto stream = client.StreamEvents(request);
  for (v1::EventBatch batch; stream->Next(&batch);) {
    files->AddBatch(batch);
    bar.Update(-1, "received event " + FormatCount(batch.covered_through()));
  }
  return stream->error();
}

std::string FailureText(const v1::Simulation& simulation) {
  if (simulation.state() == v1::Simulation::CANCELLED) {
    return simulation.name() + " was cancelled" +
           (simulation.cancel_reason().empty() ? "" : ": " + simulation.cancel_reason());
  }
  return simulation.name() + " failed: " + simulation.error().message();
}

}  // namespace

ExitCode LoadSpecToSend(const SpecOptions& spec, const CreateOptions& create, bool quiet,
                        SpecInput* input) {
  if (!create.server_files) return LoadSpec(spec, quiet, input);
  const ExitCode code = ReadSpec(spec, input);
  return code == ExitCode::kOk ? TellErrors(*input) : code;
}

std::string TooLargeText(const v1::Spec& sent, const client::Error& error,
                         const std::string& server) {
  const auto bytes = [&error](const char* key) {
    const auto found = error.metadata.find(key);
    return FormatBytes(found == error.metadata.end() ? 0 : std::atoll(found->second.c_str()));
  };
  const int rows = sent.workload().trace().rows().input_tokens_size();
  std::string text = "the spec as it is sent has " + bytes("bytes") + "; " + server +
                     " accepts at most " + bytes("limit") + " (MESSAGE_TOO_LARGE)\n";
  if (rows == 0) return text + "  Run it here, with --local.\n";
  return text + "  workload.trace has " + FormatCount(rows) +
         " rows, and they are sent along. Run it here, with --local; or use fewer of them\n"
         "  (--set workload.trace.limit=N); or put the file below the --data-dir of the server, "
         "name "
         "it from there,\n  and add --server-files.\n";
}

ExitCode Submit(client::Client& client, const SpecInput& input, const CreateOptions& options,
                const std::string& server, v1::Simulation* created) {
  v1::CreateSimulationRequest request;
  request.set_simulation_id(options.simulation_id);
  // As completed here; as given when only the server can read its files.
  const v1::Spec& spec = input.prepared.ok() ? input.prepared.resolved : input.spec;
  *request.mutable_simulation()->mutable_spec() = spec;
  for (const std::string& label : options.labels) {
    const size_t equals = label.find('=');
    (*request.mutable_simulation()->mutable_labels())[label.substr(0, equals)] =
        label.substr(equals + 1);
  }
  client::Result<v1::Simulation> result = client.CreateSimulation(std::move(request));
  if (result.ok()) {
    *created = std::move(result.value());
    return ExitCode::kOk;
  }
  client::Error error = result.error();
  if (error.reason == "MESSAGE_TOO_LARGE") {
    std::cerr << PrintableLines("tokensim: " + TooLargeText(spec, error, server));
    return ExitCodeOf(error);
  }
  // What is wrong is told once, at the lines of the file.
  if (!error.violations.empty()) error.message = "the server refuses the spec";
  for (const client::FieldViolation& violation : std::exchange(error.violations, {})) {
    v1::Finding finding;
    finding.set_field(SpecField(violation.field));
    finding.set_message(violation.description);
    std::cerr << FindingText(input, finding) << '\n';
  }
  return PrintServerError(error, server);
}

ExitCode Follow(RemoteSession& session, const std::string& name, const TalkOptions& talk,
                RunResults* results) {
  client::Client& client = session.client;
  const auto end_with = [&](const client::Error& error) {
    if (session.interrupt.requested()) return Detached(name);
    return PrintServerError(error, session.server);
  };
  const client::Result<v1::Simulation> ended = WatchToEnd(client, name, talk);
  if (!ended.ok()) return end_with(ended.error());
  if (ended.value().state() != v1::Simulation::SUCCEEDED) {
    return results->Fail(ended.value().spec_name(), FailureText(ended.value()));
  }
  v1::GetReportRequest request;
  request.set_name(name);
  const client::Result<v1::Report> report = client.GetReport(request);
  if (!report.ok()) return end_with(report.error());
  if (results->files().wants_events() || results->files().wants_requests()) {
    if (const auto error = StreamResults(client, name, talk, &results->files())) {
      return end_with(*error);
    }
  }
  return results->Finish(report.value());
}

}  // namespace tokensim::cli
