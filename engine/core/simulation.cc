#include "engine/core/simulation.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/invariant.h"
#include "engine/core/event_queue.h"
#include "engine/core/worker.h"

namespace tokensim {

class Simulation::Impl {
 public:
  Impl(std::shared_ptr<const Plan> plan, Observer* observer);

  absl::Status Advance(int64_t max_events);
  [[nodiscard]] bool done() const {
    return results_.end_reason != EndReason::kNone || !status_.ok();
  }
  [[nodiscard]] Progress progress() const;
  [[nodiscard]] const Results& results() const { return results_; }

 private:
  // Handles the next event. False when there is none left, or a limit of the plan forbids it.
  bool Step();
  void HandleArrival();
  void HandleBoundary(const Event& event);
  void HandleSnapshot(SimTime now);
  bool StopsBefore(SimTime time);
  void PeekArrival() {
    const RequestInput* next = source_->Peek();
    next_arrival_ = next != nullptr ? next->arrival : kNever;
  }
  void End(EndReason reason, SimTime time);

  const std::shared_ptr<const Plan> plan_;
  Observer* const observer_;
  RequestSlab slab_;
  WorkerSignals signals_;
  std::vector<int32_t> candidates_;
  Results results_;
  std::deque<Worker> workers_;  // a deque: workers do not move
  std::unique_ptr<GlobalScheduler> global_scheduler_;
  std::unique_ptr<RequestSource> source_;  // made by the first Advance
  SimTime next_arrival_ = kNever;
  EventQueue queue_;
  SimTime now_ = 0;
  int64_t rejected_ = 0;
  int64_t slice_left_ = 0;  // events until Advance returns
  absl::Status status_;
  std::vector<WorkerSnapshot> snapshot_;
};

Simulation::Impl::Impl(std::shared_ptr<const Plan> plan, Observer* observer)
    : plan_(std::move(plan)),
      observer_(observer),
      global_scheduler_(MakeGlobalScheduler(plan_->global_scheduler)) {
  // Beyond this, growing by doubling costs little and a run that stops early nothing.
  constexpr int64_t kMostReserved = 4'000'000;
  results_.records.reserve(
      static_cast<size_t>(std::min(plan_->workload.num_requests, kMostReserved)));
  signals_.Resize(plan_->workers.size());
  for (size_t i = 0; i < plan_->workers.size(); ++i) {
    candidates_.push_back(static_cast<int32_t>(i));
    workers_.emplace_back(plan_->workers[i], static_cast<int32_t>(i), plan_->timeline_points,
                          Worker::Context{slab_, results_.records, signals_.outstanding, observer_});
  }
  // Only an observer sees snapshots; the decisions of a run do not depend on them.
  if (observer_ != nullptr && plan_->snapshot_interval > 0) {
    queue_.Push({0, EventKind::kSnapshot, 0});
  }
}

absl::Status Simulation::Impl::Advance(int64_t max_events) {
  if (!status_.ok()) return status_;
  try {
    if (source_ == nullptr) {
      source_ = MakeRequestSource(plan_->workload, plan_->seed);
      PeekArrival();
    }
    slice_left_ = max_events;
    while (slice_left_ > 0 && !done() && Step()) --slice_left_;
  } catch (const InvariantError& error) {
    status_ = absl::InternalError(absl::StrCat("engine invariant broken: ", error.what(), "; seed ",
                                               plan_->seed, ", event ", results_.events, ", time ",
                                               now_, " ns"));
  }
  return status_;
}

bool Simulation::Impl::Step() {
  const bool arrivals_left = next_arrival_ != kNever;
  // An arrival goes before anything else at its time.
  if (arrivals_left && (queue_.empty() || next_arrival_ <= queue_.top().time)) {
    if (StopsBefore(next_arrival_)) return false;
    HandleArrival();
    return true;
  }
  if (queue_.empty()) {
    End(EndReason::kCompleted, now_);
    return false;
  }
  const Event event = queue_.top();
  if (event.kind == EventKind::kSnapshot) {
    // Snapshots alone do not keep a run going.
    if (!arrivals_left && queue_.size() == 1 && event.time > now_) {
      End(EndReason::kCompleted, now_);
      return false;
    }
    if (event.time > plan_->max_simulated_time) {
      End(EndReason::kMaxSimulatedTime, plan_->max_simulated_time);
      return false;
    }
    HandleSnapshot(event.time);
    return true;
  }
  if (StopsBefore(event.time)) return false;
  HandleBoundary(event);
  return true;
}

bool Simulation::Impl::StopsBefore(SimTime time) {
  if (time > plan_->max_simulated_time) {
    End(EndReason::kMaxSimulatedTime, plan_->max_simulated_time);
    return true;
  }
  if (plan_->max_events > 0 && results_.events >= plan_->max_events) {
    End(EndReason::kMaxEvents, now_);
    return true;
  }
  return false;
}

void Simulation::Impl::HandleArrival() {
  const RequestInput input = *source_->Peek();
  now_ = input.arrival;
  const int64_t id = results_.arrived++;
  if (id == 0) results_.first_arrival = now_;
  ++results_.events;
  source_->Pop();
  PeekArrival();
  const int32_t index = global_scheduler_->Dispatch(
      {.signals = signals_, .candidates = candidates_, .input_tokens = input.input_tokens});
  Worker& worker = workers_[static_cast<size_t>(index)];
  if (observer_ != nullptr) observer_->OnArrived(now_, id, index, input.input_tokens);
  const RejectReason reject = worker.CheckFits(input.input_tokens, input.output_tokens);
  if (reject != RejectReason::kNone) {
    results_.records.push_back({.request_id = id,
                                .arrival = now_,
                                .finish = now_,
                                .input_tokens = input.input_tokens,
                                .output_tokens = input.output_tokens,
                                .worker = index,
                                .reject_reason = reject});
    ++rejected_;
    if (observer_ != nullptr) observer_->OnRejected(now_, results_.records.back());
    return;
  }
  const RequestHandle handle = slab_.Allocate();
  LiveRequest& r = slab_[handle];
  r.id = id;
  r.arrival = now_;
  r.input_tokens = input.input_tokens;
  r.output_tokens = input.output_tokens;
  ++signals_.outstanding[static_cast<size_t>(index)];
  if (worker.Enqueue(handle, now_)) {
    queue_.Push({now_, EventKind::kBoundary, static_cast<uint32_t>(index)});
  }
}

void Simulation::Impl::HandleBoundary(const Event& event) {
  Worker& worker = workers_[event.index];
  const int64_t iterations = worker.stats().iterations;
  // Until the next event of anyone else the worker may go on alone. An observer wants to see the
  // events of all workers in order of time.
  SimTime horizon = 0;
  int64_t limit = slice_left_;
  if (observer_ == nullptr) {
    horizon = std::min(next_arrival_, queue_.second_time());
    if (plan_->max_simulated_time < horizon) horizon = plan_->max_simulated_time + 1;
    if (plan_->max_events > 0) limit = std::min(limit, plan_->max_events - results_.events);
  }
  const SimTime end = worker.Run(event.time, horizon, limit);
  now_ = worker.now();
  const int64_t events = worker.stats().iterations - iterations;
  results_.events += events;
  slice_left_ -= events;
  if (end == kNever) {
    queue_.Pop();
  } else {
    queue_.ReplaceTop({end, EventKind::kBoundary, event.index});
  }
}

void Simulation::Impl::HandleSnapshot(SimTime now) {
  snapshot_.clear();
  for (const Worker& worker : workers_) snapshot_.push_back(worker.Snapshot());
  observer_->OnSnapshot(now, snapshot_);
  queue_.ReplaceTop({now + plan_->snapshot_interval, EventKind::kSnapshot, 0});
}

void Simulation::Impl::End(EndReason reason, SimTime time) {
  results_.end_reason = reason;
  results_.end_time = time;
  for (const Worker& worker : workers_) {
    results_.workers.push_back(worker.stats());
    results_.timelines.push_back(worker.timeline().Averages(time));
  }
  const auto ended = static_cast<int64_t>(results_.records.size());
  if (reason == EndReason::kCompleted) {
    TOKENSIM_INVARIANT(ended == results_.arrived && slab_.live() == 0, "requests lost");
    for (const Worker& worker : workers_) {
      TOKENSIM_INVARIANT(worker.Snapshot().running == 0 && worker.Snapshot().waiting == 0,
                         "requests left in a worker");
    }
  }
  if (observer_ != nullptr) {
    observer_->OnEnded(time, reason, ended - rejected_, rejected_, results_.arrived - ended);
  }
}

Progress Simulation::Impl::progress() const {
  return {.total = plan_->workload.num_requests,
          .arrived = results_.arrived,
          .finished = static_cast<int64_t>(results_.records.size()),
          .now = now_,
          .events = results_.events};
}

Simulation::Simulation(std::shared_ptr<const Plan> plan, Observer* observer)
    : impl_(std::make_unique<Impl>(std::move(plan), observer)) {}
Simulation::~Simulation() = default;

absl::Status Simulation::Advance(int64_t max_events) { return impl_->Advance(max_events); }
bool Simulation::done() const { return impl_->done(); }
Progress Simulation::progress() const { return impl_->progress(); }
const Results& Simulation::results() const { return impl_->results(); }

}  // namespace tokensim
