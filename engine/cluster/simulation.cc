#include "engine/cluster/simulation.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/invariant.h"
#include "engine/cluster/cluster.h"
#include "engine/cluster/event_queue.h"
#include "engine/policy/defaults.h"

namespace tokensim {

class Simulation::Impl {
 public:
  // `sink` is looked at when records are not kept; it may be null.
  Impl(std::shared_ptr<const Plan> plan, Observer* observer, bool keeps_records, RecordSink* sink);

  absl::Status Advance(int64_t max_events);
  [[nodiscard]] bool done() const {
    return results_.end_reason != EndReason::kNone || !status_.ok();
  }
  [[nodiscard]] Progress progress() const;
  [[nodiscard]] Results& results() { return results_; }
  [[nodiscard]] const Cluster& cluster() const { return cluster_; }

 private:
  // Handles the next event. False when there is none left, or a limit of the plan forbids it.
  bool Step();
  void HandleArrival();
  void HandleTransfers(SimTime now);
  void HandleEvent(const QueuedEvent& event);
  void HandleBoundary(const QueuedEvent& event);
  void HandleWorkerEvent(const QueuedEvent& event);
  void HandleWorkerStart(const QueuedEvent& event);
  // Whether anything is left that keeps a run going: snapshots and the like do not.
  [[nodiscard]] bool Exhausted() const;
  bool StopsBefore(SimTime time);
  void PeekArrival() {
    const RequestInput* next = source_->Peek();
    next_arrival_ = next != nullptr ? SumBeforeNever(next->arrival, plan_->request_delay) : kNever;
  }
  void End(EndReason reason, SimTime time);

  const std::shared_ptr<const Plan> plan_;
  Observer* const observer_;
  Results results_;
  EventQueue queue_;
  Cluster cluster_;
  std::unique_ptr<RequestSource> source_;  // made by the first Advance
  bool reactive_ = false;
  SimTime next_arrival_ = kNever;
  size_t periodic_events_ = 0;  // in the queue, for ever: the next snapshot, the next signals
  SimTime now_ = 0;
  int64_t slice_left_ = 0;  // events until Advance returns
  absl::Status status_;
};

Simulation::Impl::Impl(std::shared_ptr<const Plan> plan, Observer* observer, bool keeps_records,
                       RecordSink* sink)
    : plan_(WithDefaultPolicies(std::move(plan))),
      observer_(observer),
      cluster_(*plan_, observer, &queue_, &results_, keeps_records ? &results_.records : sink) {
  // Only an observer sees snapshots; the decisions of a run do not depend on them.
  if (observer_ != nullptr && plan_->snapshot_interval > 0) {
    queue_.Push({0, EventKind::kSnapshot, 0});
  }
  if (plan_->signal_delay > 0) queue_.Push({plan_->signal_delay, EventKind::kSignals, 0});
  periodic_events_ = queue_.size();
  if (!plan_->worker_events.empty()) {
    queue_.Push({plan_->worker_events[0].time, EventKind::kWorkerEvent, 0});
  }
}

absl::Status Simulation::Impl::Advance(int64_t max_events) {
  if (!status_.ok()) return status_;
  try {
    if (source_ == nullptr) {
      source_ = MakeRequestSource(plan_->workload, plan_->seed);
      reactive_ = source_->reactive();
      cluster_.SetSource(source_.get());
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
  const SimTime transfer = cluster_.next_transfer();
  const SimTime first = std::min(next_arrival_, transfer);
  // The heap's events before kBoundary go before arrivals and transfers at their time.
  const bool heap_first =
      !queue_.empty() && (queue_.top().time < first ||
                          (queue_.top().time == first && queue_.top().kind < EventKind::kSignals));
  if (first != kNever && !heap_first) {
    if (StopsBefore(first)) return false;
    if (transfer <= next_arrival_) {
      HandleTransfers(transfer);
    } else {
      HandleArrival();
    }
    return true;
  }
  if (Exhausted()) {
    if (cluster_.EndWaits(now_)) return true;
    // What waits for a worker is rejected. A conversation or a closed loop may then go on, or those
    // that waited for the blocks of the rejected.
    TOKENSIM_INVARIANT(cluster_.live() == 0 || cluster_.homeless() > 0,
                       "requests wait for each other");
    cluster_.RejectHomeless(now_);
    PeekArrival();
    if (next_arrival_ != kNever || cluster_.live() > 0) return true;
    End(EndReason::kCompleted, now_);
    return false;
  }
  const QueuedEvent event = queue_.top();
  if (event.kind == EventKind::kSnapshot || event.kind == EventKind::kSignals) {
    if (event.time > plan_->max_simulated_time) {
      End(EndReason::kMaxSimulatedTime, plan_->max_simulated_time);
      return false;
    }
  } else if (StopsBefore(event.time)) {
    return false;
  }
  HandleEvent(event);
  return true;
}

bool Simulation::Impl::Exhausted() const {
  if (next_arrival_ != kNever || cluster_.next_transfer() != kNever) return false;
  // Requests that wait for a worker may still get one; without requests, workers may do as they
  // like.
  if (cluster_.live() > 0 && queue_.size() > periodic_events_) return false;
  // A snapshot that is due now shows the end.
  return queue_.empty() || queue_.top().kind != EventKind::kSnapshot || queue_.top().time > now_;
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
  now_ = next_arrival_;
  const int64_t id = results_.arrived++;
  if (id == 0) results_.first_arrival = input.arrival;
  ++results_.events;
  source_->Pop();
  cluster_.Arrive(input, id, now_);
  PeekArrival();
}

void Simulation::Impl::HandleTransfers(SimTime now) {
  now_ = now;
  cluster_.AdvanceTransfers(now);
  if (reactive_) PeekArrival();
}

void Simulation::Impl::HandleEvent(const QueuedEvent& event) {
  switch (event.kind) {
    case EventKind::kBoundary:
      return HandleBoundary(event);
    case EventKind::kWorkerEvent:
      return HandleWorkerEvent(event);
    case EventKind::kWorkerStart:
      return HandleWorkerStart(event);
    case EventKind::kSignals:
      cluster_.RefreshSignals();
      return queue_.ReplaceTop({event.time + plan_->signal_delay, EventKind::kSignals, 0});
    case EventKind::kSnapshot:
      observer_->OnEvent(event.time, SnapshotEvent{cluster_.Snapshot(), cluster_.pool_bytes()});
      return queue_.ReplaceTop({event.time + plan_->snapshot_interval, EventKind::kSnapshot, 0});
  }
}

void Simulation::Impl::HandleWorkerEvent(const QueuedEvent& event) {
  const std::vector<WorkerEvent>& events = plan_->worker_events;
  now_ = event.time;
  const size_t next = event.index + 1;
  if (next < events.size()) {
    queue_.ReplaceTop({events[next].time, EventKind::kWorkerEvent, static_cast<uint32_t>(next)});
  } else {
    queue_.Pop();
  }
  cluster_.ApplyWorkerEvent(events[event.index], now_);
  if (reactive_) PeekArrival();
}

void Simulation::Impl::HandleWorkerStart(const QueuedEvent& event) {
  now_ = event.time;
  queue_.Pop();
  cluster_.StartWorker(static_cast<int32_t>(event.index), now_);
  if (reactive_) PeekArrival();  // one that waited for a worker may have been rejected
}

void Simulation::Impl::HandleBoundary(const QueuedEvent& event) {
  // Until the next event of anyone else the worker may go on alone. An observer wants to see the
  // events of all workers in order of time.
  SimTime horizon = 0;
  int64_t limit = slice_left_;
  if (observer_ == nullptr) {
    horizon = std::min(
        {next_arrival_, cluster_.next_transfer(), queue_.second_time(), plan_->max_simulated_time});
    if (plan_->max_events > 0) limit = std::min(limit, plan_->max_events - results_.events);
  }
  const int64_t events =
      cluster_.RunWorker(static_cast<int32_t>(event.index), event.time, horizon, limit);
  now_ = cluster_.worker(event.index).now();
  results_.events += events;
  slice_left_ -= events;
  if (reactive_) PeekArrival();
}

void Simulation::Impl::End(EndReason reason, SimTime time) {
  results_.end_reason = reason;
  results_.end_time = time;
  cluster_.Conclude(time);
  const int64_t ended = cluster_.ended();
  if (reason == EndReason::kCompleted) {
    TOKENSIM_INVARIANT(ended == results_.arrived && cluster_.live() == 0, "requests lost");
    for (size_t i = 0; i < cluster_.size(); ++i) {
      const WorkerState& state = cluster_.worker(i).state();
      TOKENSIM_INVARIANT(state.idle(), "requests left in a worker");
      TOKENSIM_INVARIANT(state.pool().used() == 0, "KV blocks held by nobody");
      TOKENSIM_INVARIANT(state.host().used() == 0, "host memory held by nobody");
    }
  }
  if (observer_ != nullptr) {
    observer_->OnEvent(time, EndedEvent{reason, ended - cluster_.rejected(), cluster_.rejected(),
                                        results_.arrived - ended});
  }
}

Progress Simulation::Impl::progress() const {
  // How many come before a time is known when they have come.
  int64_t total = plan_->workload.num_requests;
  if (plan_->workload.duration != kNever) {
    total = done() ? results_.arrived : std::max(total, results_.arrived);
  }
  return {.total = total,
          .arrived = results_.arrived,
          .finished = cluster_.ended(),
          .now = now_,
          .events = results_.events};
}

Simulation::Simulation(std::shared_ptr<const Plan> plan, Observer* observer)
    : impl_(std::make_unique<Impl>(std::move(plan), observer, true, nullptr)) {}
Simulation::Simulation(std::shared_ptr<const Plan> plan, Observer* observer, RecordSink* sink)
    : impl_(std::make_unique<Impl>(std::move(plan), observer, false, sink)) {}
Simulation::~Simulation() = default;

absl::Status Simulation::Advance(int64_t max_events) { return impl_->Advance(max_events); }
bool Simulation::done() const { return impl_->done(); }
Progress Simulation::progress() const { return impl_->progress(); }
const Results& Simulation::results() const { return impl_->results(); }
Results Simulation::TakeResults() { return std::move(impl_->results()); }
const Cluster& Simulation::cluster() const { return impl_->cluster(); }

}  // namespace tokensim
