#include "server/session/runner.h"

#include <pthread.h>

#include <algorithm>
#include <new>
#include <utility>

#include "engine/base/version.h"
#include "engine/io/report/encode.h"
#include "engine/report/report.h"
#include "server/base/error.h"

namespace tokensim {
namespace {

// Does what must be done, however scarce memory is: others end and give theirs back.
template <typename Work>
auto Insist(Work work) {
  constexpr std::chrono::milliseconds kWait{10};
  while (true) {
    try {
      return work();
    } catch (const std::bad_alloc&) {
      std::this_thread::sleep_for(kWait);
    }
  }
}

// Errors that go away by themselves.
bool IsOfTheDisk(const absl::Status& status) {
  const std::string why = ErrorReason(status);
  return why == reason::kStoreUnavailable || why == reason::kStorageFull;
}

}  // namespace

Runner::Runner(RunnerOptions options, Store& store, PlanCache& plans, Watchers& watchers,
               const Clock& clock, SessionMetrics& metrics)
    : options_(options),
      store_(store),
      plans_(plans),
      watchers_(watchers),
      clock_(clock),
      metrics_(metrics) {
  for (int i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { Serve(); });
    pthread_setname_np(threads_.back().native_handle(), "simulation");
  }
}

Runner::~Runner() { Stop(); }

Runner::Place::~Place() {
  if (runner_ == nullptr) return;
  const std::lock_guard lock(runner_->mutex_);
  --runner_->reserved_;
}

std::optional<Runner::Place> Runner::Reserve() {
  const std::lock_guard lock(mutex_);
  if (queue_.size() + reserved_ >= options_.max_queued) return std::nullopt;
  ++reserved_;
  return Place(this);
}

void Runner::Enqueue(Place place, const SimulationName& name, const std::string& uid) {
  {
    const std::lock_guard lock(mutex_);
    // Its place becomes one in the queue.
    if (std::exchange(place.runner_, nullptr) != nullptr) --reserved_;
    queue_.Push({name, uid, clock_.Steady()});
  }
  wake_.notify_one();
}

void Runner::Cancel(const SimulationName& name, const std::string& uid) {
  const std::lock_guard lock(mutex_);
  if (queue_.Remove(name.tenant, uid)) return;
  const auto run = runs_.find(uid);
  if (run == runs_.end()) return;
  run->second->cancelled = true;
  // It need not wait for its turn to end.
  const auto turn = std::find(turns_.begin(), turns_.end(), run->second);
  if (turn != turns_.end()) std::rotate(turns_.begin(), turn, turn + 1);
}

std::optional<v1::Progress> Runner::progress(const std::string& uid) const {
  const std::lock_guard lock(mutex_);
  const auto run = runs_.find(uid);
  if (run == runs_.end()) return std::nullopt;
  return run->second->progress;
}

int64_t Runner::queued() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

int64_t Runner::running() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(runs_.size());
}

void Runner::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Runner::Serve() {
  while (const std::shared_ptr<Run> run = Insist([this] { return Next(); })) {
    if (Work(run)) continue;
    const std::lock_guard lock(mutex_);
    runs_.erase(run->entry.uid);
    // No need to wake others: this thread takes what it has just made possible.
  }
}

bool Runner::Work(const std::shared_ptr<Run>& run) {
  try {
    if (run->out_of_memory) throw std::bad_alloc();
    const bool goes_on = run->simulation == nullptr ? Begin(*run) && Turn(*run) : Turn(*run);
    if (!goes_on) return false;
    const std::lock_guard lock(mutex_);
    turns_.push_back(run);
    return true;
  } catch (...) {
    // Memory that is not there fails this run, not the process.
    Abandon(*run, CaughtError());
    return false;
  }
}

void Runner::Abandon(Run& run, const absl::Status& error) {
  run.simulation = nullptr;
  run.plan = nullptr;
  Insist([&] {
    Outcome failed;
    failed.state = v1::Simulation::FAILED;
    failed.error = ToRpcStatus(error);
    Finish(run, failed);
  });
}

std::shared_ptr<Runner::Run> Runner::Next() {
  std::unique_lock lock(mutex_);
  const auto may_begin = [this] {
    return !stopping_ && queue_.size() > 0 &&
           static_cast<int64_t>(runs_.size()) < options_.max_running;
  };
  wake_.wait(lock, [&] { return stopping_ || !turns_.empty() || may_begin(); });
  std::shared_ptr<Run> run;
  const bool begins = may_begin() && (turns_.empty() || !began_last_);
  if (begins) run = std::make_shared<Run>();  // before anything is taken
  began_last_ = begins;
  if (begins) {
    run->entry = *queue_.Pop();
    try {
      runs_[run->entry.uid] = run;
    } catch (const std::bad_alloc&) {
      run->out_of_memory = true;
    }
  } else if (!turns_.empty()) {  // also when stopping: the run gives back its simulation
    run = std::move(turns_.front());
    turns_.pop_front();
  }
  return run;
}

bool Runner::Begin(Run& run) {
  run.begun = clock_.Steady();
  const std::optional<SimulationRecord> record = Claim(run.entry);
  if (!record) return false;
  metrics_.OnStarted(run.begun - run.entry.enqueued);
  watchers_.Notify(run.entry.name);
  absl::StatusOr<std::shared_ptr<const Plan>> plan = plans_.Get(*record);
  if (!plan.ok()) {
    Outcome failed;
    failed.state = v1::Simulation::FAILED;
    failed.error = ToRpcStatus(plan.status());
    Finish(run, failed);
    return false;
  }
  run.plan = *std::move(plan);
  run.simulation = std::make_unique<Simulation>(run.plan);
  run.computed = clock_.Steady() - run.begun;
  return true;
}

absl::StatusOr<SimulationRecord> Runner::UpdateWhenPossible(const SimulationName& name,
                                                            const Store::Change& change) {
  while (true) {
    absl::StatusOr<SimulationRecord> updated = store_.Update(name, change);
    if (updated.ok() || !IsOfTheDisk(updated.status())) return updated;
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, options_.store_retry, [this] { return stopping_.load(); })) {
      return updated;
    }
  }
}

std::optional<SimulationRecord> Runner::Claim(const FairQueue::Entry& entry) {
  const auto claimed = UpdateWhenPossible(entry.name, [&](SimulationRecord& record) {
    if (record.uid != entry.uid || record.state != v1::Simulation::PENDING) {
      return absl::AbortedError("not waiting any more");
    }
    record.state = v1::Simulation::RUNNING;
    record.start_time = record.update_time = clock_.Now();
    ++record.attempt;
    return absl::OkStatus();
  });
  if (!claimed.ok()) return std::nullopt;
  return *claimed;
}

bool Runner::Turn(Run& run) {
  Outcome outcome;  // PENDING: the server stops
  if (run.cancelled) outcome.state = v1::Simulation::CANCELLED;
  if (run.cancelled || stopping_) {
    Finish(run, outcome);
    return false;
  }
  const SteadyTime turn = clock_.Steady();
  const Progress before = run.simulation->progress();
  const absl::Status status = run.simulation->Advance(options_.slice_events);
  const Progress progress = run.simulation->progress();
  metrics_.OnSlice(clock_.Steady() - turn, progress.events - before.events,
                   ToSeconds(progress.now - before.now));
  if (status.ok()) {
    Publish(run, progress);
    if (!run.simulation->done()) {
      run.computed += clock_.Steady() - turn;
      return true;
    }
    outcome.state = v1::Simulation::SUCCEEDED;
    outcome.report = MakeReport(run, turn);
  } else {
    outcome = Failed(run, status, progress.events);
  }
  Finish(run, outcome);
  return false;
}

Runner::Outcome Runner::Failed(const Run& run, const absl::Status& status, int64_t events) const {
  Outcome outcome;
  outcome.state = v1::Simulation::FAILED;
  const std::string_view message(status.message().data(), status.message().size());
  outcome.error =
      ToRpcStatus(MakeError(absl::StatusCode::kInternal, reason::kEngineInvariant, message,
                            {{"seed", std::to_string(run.plan->seed)},
                             {"events", std::to_string(events)},
                             {"engine_version", kEngineVersion}}));
  return outcome;
}

std::shared_ptr<const v1::Report> Runner::MakeReport(const Run& run, SteadyTime turn) const {
  const Report report = BuildReport(*run.plan, run.simulation->results());
  auto out = std::make_shared<v1::Report>(ToProto(report));
  SetExecution(report, Seconds(run.computed + (clock_.Steady() - turn)), out->mutable_execution());
  return out;
}

void Runner::Publish(Run& run, const Progress& progress) {
  v1::Progress published = ToProto(progress, *run.plan);
  {
    const std::lock_guard lock(mutex_);
    run.progress = std::move(published);
  }
  const SteadyTime now = clock_.Steady();
  if (now - run.last_notified < options_.progress_interval) return;
  run.last_notified = now;
  watchers_.Notify(run.entry.name);
}

SimulationState Runner::Keep(const Run& run, const Outcome& outcome) {
  v1::Progress progress;
  {
    const std::lock_guard lock(mutex_);
    progress = run.progress;
  }
  if (outcome.state == v1::Simulation::SUCCEEDED) progress.set_fraction(1);
  SimulationState state = outcome.state;
  const auto updated = UpdateWhenPossible(run.entry.name, [&](SimulationRecord& record) {
    if (record.uid != run.entry.uid) return absl::AbortedError("deleted");
    // A cancellation that was accepted is kept even if the run ended first.
    if (record.state == v1::Simulation::CANCELLING && state != v1::Simulation::FAILED) {
      state = v1::Simulation::CANCELLED;
    }
    record.state = state;
    record.update_time = clock_.Now();
    if (!IsTerminal(state)) return absl::OkStatus();
    record.end_time = record.update_time;
    record.progress = progress;
    if (state == v1::Simulation::SUCCEEDED) record.report = outcome.report;
    if (state == v1::Simulation::FAILED) record.error = outcome.error;
    return absl::OkStatus();
  });
  if (updated.ok()) return state;
  // Not kept as the server stops: the next one runs it again. Else it was deleted while it ran.
  return IsOfTheDisk(updated.status()) ? v1::Simulation::PENDING : v1::Simulation::CANCELLED;
}

void Runner::Finish(const Run& run, const Outcome& outcome) {
  const SimulationState state = Keep(run, outcome);
  // The end is kept: from here on nothing may be left out.
  Insist([&] { metrics_.OnRun(clock_.Steady() - run.begun); });
  if (IsTerminal(state)) Insist([&] { metrics_.OnFinished(state); });
  Insist([&] { watchers_.Notify(run.entry.name); });
}

}  // namespace tokensim
