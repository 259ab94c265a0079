#include "clients/cli/local_run.h"

#include <chrono>
#include <utility>

#include "clients/cli/interrupt.h"
#include "clients/cli/progress_bar.h"
#include "clients/cli/talk.h"
#include "clients/cli/units.h"
#include "engine/cluster/simulation.h"
#include "engine/compute/recording_model.h"
#include "engine/io/events/replay_reader.h"
#include "engine/io/report/encode.h"
#include "engine/report/report.h"

namespace tokensim::cli {

namespace {

// Engine events between two looks at the clock and at Ctrl-C: about 10 ms.
constexpr int64_t kSliceEvents = 50'000;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

ExitCode Interrupted() {
  PrintError("interrupted");
  return ExitCode::kInterrupted;
}

// Writes the events of a run that succeeded, by replaying it.
ExitCode ReplayEvents(const std::shared_ptr<const Plan>& plan, const Interrupt& interrupt,
                      const TalkOptions& talk, ResultFiles* files) {
  ProgressBar bar(talk);
  ReplayOptions options;
  options.filter = files->filter();
  ReplayReader reader(plan, std::move(options));
  v1::EventBatch batch;
  for (;;) {
    const ReplayReader::Outcome outcome = reader.Read(kSliceEvents, &batch);
    if (outcome == ReplayReader::Outcome::kFailed) {
      PrintError(std::string(reader.status().message()));
      return ExitCode::kRunFailed;
    }
    files->AddBatch(batch);
    if (outcome == ReplayReader::Outcome::kEnd) return ExitCode::kOk;
    if (interrupt.requested()) return Interrupted();
    bar.Update(-1, "writing event " + FormatCount(batch.covered_through()));
  }
}

// By worker of the plan.
using Recordings = std::vector<std::shared_ptr<const RecordingModel>>;

// The plan with compute models that keep account; workers that shared one still do.
std::shared_ptr<const Plan> WithRecordings(const Plan& plan, Recordings* recordings) {
  auto recorded = std::make_shared<Plan>(plan);
  for (size_t i = 0; i < plan.workers.size(); ++i) {
    const bool shared = i > 0 && plan.workers[i].compute == plan.workers[i - 1].compute;
    recordings->push_back(shared ? recordings->back()
                                 : std::make_shared<RecordingModel>(plan.workers[i].compute));
    recorded->workers[i].compute = recordings->back();
  }
  return recorded;
}

void SetOperatorSeconds(const Recordings& recordings, v1::Report* report) {
  for (size_t i = 0; i < recordings.size(); ++i) {
    v1::WorkerReport* worker = report->mutable_workers(static_cast<int>(i));
    if (worker->operators().empty()) continue;  // those of the worker before
    for (v1::OperatorSource& op : *worker->mutable_operators()) {
      op.set_seconds_per_iteration(recordings[i]->SecondsPerIteration(op.name()));
    }
    v1::OperatorSource* other = worker->add_operators();
    other->set_name("other");
    other->set_source("host");
    other->set_confidence("fitted");
    other->set_seconds_per_iteration(recordings[i]->OtherSecondsPerIteration());
  }
}

}  // namespace

ExitCode RunLocal(const SpecInput& input, const TalkOptions& talk, bool operators,
                  RunResults* results) {
  Recordings recordings;
  const std::shared_ptr<const Plan> plan =
      operators ? WithRecordings(*input.prepared.plan, &recordings) : input.prepared.plan;
  Interrupt interrupt;
  ProgressBar bar(talk);
  const auto start = std::chrono::steady_clock::now();
  Simulation simulation(plan);
  while (!simulation.done()) {
    const absl::Status status = simulation.Advance(kSliceEvents);
    if (!status.ok()) return results->Fail(plan->name, std::string(status.message()));
    if (interrupt.requested()) return Interrupted();
    bar.Update(ToProto(simulation.progress(), *plan));
  }
  const Report report = BuildReport(*plan, simulation.results());
  const double wall_seconds = SecondsSince(start);
  bar.Erase();

  v1::Report message = ToProto(report);
  SetExecution(report, wall_seconds, message.mutable_execution());
  SetOperatorSeconds(recordings, &message);
  if (results->files().wants_events()) {
    const ExitCode code = ReplayEvents(plan, interrupt, talk, &results->files());
    if (code != ExitCode::kOk) return code;
  } else if (results->files().wants_requests()) {
    results->files().SetRecords(simulation.TakeResults().records);
  }
  return results->Finish(message);
}

}  // namespace tokensim::cli
