#include "tests/property/reference_simulation.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "engine/policy/defaults.h"
#include "tests/property/reference_run.h"

namespace tokensim {

ReferenceRun::ReferenceRun(const Plan& plan)
    : plan_(plan),
      dispatcher_(plan.global_scheduler->Make({plan.seed, "dispatch"})),
      transfer_scheduler_(plan.transfer_scheduler->Make({plan.seed, "transfer"})),
      moves_(plan),
      members_(plan.workers.size()) {
  for (size_t i = 0; i < plan.workers.size(); ++i) {
    FindTarget find;
    if (plan.migrate_on_pressure && plan.workers[i].role != Role::kPrefill) {
      find = [this](int32_t from, const ReferenceRequest& r) { return MigrationTarget(from, r); };
    }
    FetchFromPool fetch;
    if (plan.memory_pool && plan.memory_pool->load == PoolLoad::kBlocking) {
      fetch = [this](int32_t worker, int64_t tokens, SimTime now) {
        return moves_.FetchBlocking(worker, tokens, now);
      };
    }
    workers_.emplace_back(plan.workers[i], static_cast<int32_t>(i), std::move(find),
                          std::move(fetch), plan.network.mode == TransferMode::kLayerwise);
    if (!plan.workers[i].serving) members_[i] = {.status = WorkerStatus::kStopped, .since = 0};
  }
  if (plan.memory_pool) pool_.emplace(*plan.memory_pool);
  next_signals_ = plan.signal_delay > 0 ? plan.signal_delay : kNever;
  stale_signals_ = Signals();
  stale_signals_.refreshes = 1;
}

ReferenceResults ReferenceRun::Run() {
  source_ = MakeRequestSource(plan_.workload, plan_.seed);
  while (true) {
    const SimTime event = NextWorkerEvent();
    const SimTime start = NextStart();
    const SimTime transfer = moves_.Next();
    const SimTime arrival = NextArrival();
    const SimTime boundary = NextBoundary();
    const bool waits = std::min({event, start, boundary}) == kNever;
    if (std::min(transfer, arrival) == kNever && (live_ == 0 || waits)) {
      if (EndWaits(results_.end_time)) continue;
      RejectHomeless(results_.end_time);
      if (source_->Peek() == nullptr && live_ == 0) return Finish();
      continue;
    }
    const SimTime now = std::min({event, start, transfer, arrival, boundary});
    // At one time: workers fail and the like, workers start, KV caches arrive, requests arrive,
    // signals are read, iterations end.
    const SimTime before_signals = std::min({event, start, transfer, arrival});
    if (next_signals_ < now || (next_signals_ == now && before_signals > now)) {
      const int64_t refreshes = stale_signals_.refreshes;
      stale_signals_ = Signals();
      stale_signals_.refreshes = refreshes + 1;
      next_signals_ += plan_.signal_delay;
      continue;
    }
    const SimTime duration = now - results_.end_time;
    for (ReferenceWorker& worker : workers_) worker.Account(duration);
    results_.homeless += static_cast<__int128>(homeless_.size()) * duration;
    results_.end_time = now;
    if (event == now) {
      Apply(plan_.worker_events[next_event_++], now);
    } else if (start == now) {
      StartFirst(now);
    } else if (transfer == now) {
      for (ReferenceMove* move : moves_.Arrived(now)) EndMove(move, now);
    } else if (arrival == now) {
      Arrive(now);
    } else {
      EndIteration(now);
    }
  }
}

SimTime ReferenceRun::NextArrival() const {
  const RequestInput* next = source_->Peek();
  return next != nullptr ? next->arrival + plan_.request_delay : kNever;
}

SimTime ReferenceRun::NextWorkerEvent() const {
  return next_event_ < plan_.worker_events.size() ? plan_.worker_events[next_event_].time : kNever;
}

SimTime ReferenceRun::NextStart() const {
  SimTime next = kNever;
  for (const Member& member : members_) next = std::min(next, member.starts);
  return next;
}

SimTime ReferenceRun::NextBoundary() const {
  SimTime next = kNever;
  for (size_t i = 0; i < workers_.size(); ++i) next = std::min(next, BoundaryOf(i));
  return next;
}

SimTime ReferenceRun::BoundaryOf(size_t i) const {
  const WorkerPlan& plan = plan_.workers[i];
  if (plan.lockstep_first < 0) return workers_[i].boundary();
  if (plan.lockstep_first != static_cast<int32_t>(i)) return kNever;
  SimTime woken = kNever;
  for (size_t rank = i; rank < i + static_cast<size_t>(plan.lockstep_ranks); ++rank) {
    if (workers_[rank].iterating()) return workers_[rank].boundary();
    woken = std::min(woken, workers_[rank].boundary());
  }
  return woken;
}

bool ReferenceRun::EndWaits(SimTime now) {
  bool any = false;
  for (ReferenceWorker& worker : workers_) {
    if (!worker.waits()) continue;
    worker.Hurry(now);
    any = true;
  }
  return any;
}

void ReferenceRun::Arrive(SimTime now) {
  ReferenceRequest& request = requests_.emplace_back();
  request.input = *source_->Peek();
  const RequestInput& input = request.input;
  RequestRecord& record = request.record;
  record.request_id = results_.arrived++;
  record.arrival = input.arrival;
  record.input_tokens = input.input_tokens;
  record.output_tokens = input.output_tokens;
  record.client_class = input.client_class;
  record.turn = input.turn;
  record.conversation = input.conversation;
  const SloPlan* slo = &plan_.slo;
  if (!plan_.classes.empty()) {
    const ClassPlan& client = plan_.classes[static_cast<size_t>(input.client_class)];
    request.priority = client.priority;
    slo = &client.slo;
  }
  if (slo->ttft) request.deadline = input.arrival + *slo->ttft;
  request.target = input.input_tokens;
  source_->Pop();
  ++live_;
  Dispatch(&request, now);
}

void ReferenceRun::Reject(ReferenceRequest* request, RejectReason reason, int32_t worker,
                          SimTime now) {
  if (request->move != nullptr) {
    if (!request->move->lost) GiveBack(request->move, now);
    DropMove(request);
  }
  --live_;
  results_.ended.push_back(request->record.request_id);
  const RequestRecord& had = request->record;
  request->record = {.request_id = had.request_id,
                     .arrival = had.arrival,
                     .finish = now,
                     .input_tokens = had.input_tokens,
                     .output_tokens = had.output_tokens,
                     .worker = worker,
                     .reject_reason = reason,
                     .client_class = had.client_class,
                     .turn = had.turn,
                     .conversation = had.conversation};
  if (pool_) pool_->Erase(had.conversation);
  source_->OnRejected(request->input.source_tag, now);
}

void ReferenceRun::End(ReferenceRequest* request, SimTime now) {
  --live_;
  results_.ended.push_back(request->record.request_id);
  const RequestInput& input = request->input;
  if (pool_ && input.conversation >= 0) {
    if (input.last_turn) {
      pool_->Erase(input.conversation);
    } else {
      pool_->Put(input.conversation, Total(*request) - 1,
                 WorkerAt(request->record.worker).plan().kv_bytes_per_token);
    }
  }
  request->record.first_token += plan_.response_delay;
  request->record.finish += plan_.response_delay;
  source_->OnEnded(input.source_tag, now + plan_.response_delay);
}

void ReferenceRun::EndIteration(SimTime now) {
  for (int32_t i = 0; i < static_cast<int32_t>(workers_.size()); ++i) {
    if (BoundaryOf(static_cast<size_t>(i)) != now) continue;
    if (PlanOf(i).lockstep_first >= 0) return EndLockstepIteration(i, now);
    for (const ReferenceMessage& m : WorkerAt(i).Boundary(now, &results_.iterations)) {
      Handle(m, i, now);
    }
    if (MemberAt(i).status == WorkerStatus::kDraining && WorkerAt(i).idle()) {
      SetStatus(i, WorkerStatus::kStopped, now);
    }
    return;
  }
}

void ReferenceRun::EndLockstepIteration(int32_t first, SimTime now) {
  std::vector<int32_t> with_batch;
  const int32_t end = first + PlanOf(first).lockstep_ranks;
  int64_t tokens = 0;
  for (int32_t i = first; i < end; ++i) {
    if (WorkerAt(i).Prepare(now, &results_.iterations)) with_batch.push_back(i);
    tokens += WorkerAt(i).BatchTokens();
  }
  if (!with_batch.empty()) {
    double seconds = 0;
    SimTime fetched = now;
    for (int32_t i = first; i < end; ++i) {
      seconds = std::max(seconds, WorkerAt(i).BatchSeconds(tokens));
      fetched = std::max(fetched, WorkerAt(i).Fetch(now));
    }
    for (const int32_t i : with_batch) WorkerAt(i).Launch(now, fetched, seconds);
    for (int32_t i = first; i < end; ++i) {
      if (!WorkerAt(i).iterating()) WorkerAt(i).StandBy(WorkerAt(with_batch[0]).boundary());
    }
  }
  for (int32_t i = first; i < end; ++i) {
    for (const ReferenceMessage& m : WorkerAt(i).TakeMessages()) Handle(m, i, now);
  }
}

void ReferenceRun::Handle(const ReferenceMessage& message, int32_t from, SimTime now) {
  switch (message.kind) {
    case ReferenceMessage::Kind::kEnded:
      return End(message.request, now);
    case ReferenceMessage::Kind::kPrefilled:
      return HandOn(from, message.request, -1, now);
    case ReferenceMessage::Kind::kPrefillStarts:
      return SendLayers(from, message.request, message.tokens, now);
    case ReferenceMessage::Kind::kMigrates:
      ++results_.migrations;
      message.request->at = -1;
      return HandOn(from, message.request, message.target, now);
    case ReferenceMessage::Kind::kLoad:
      return Load(from, message.request, now);
    case ReferenceMessage::Kind::kFetched:
      pool_->Unpin(message.request->input.conversation);
      results_.pool.hit_tokens += message.tokens;
      return;
    case ReferenceMessage::Kind::kSwapOut:
      return moves_.StartSwap(moves_.Add({.kind = ReferenceMove::Kind::kSwapOut,
                                          .from = from,
                                          .to = from,
                                          .blocks = message.blocks}),
                              now);
    case ReferenceMessage::Kind::kFailed:
      return Evacuate(from, now);
  }
}

void ReferenceRun::RejectHomeless(SimTime now) {
  for (ReferenceRequest* request : std::exchange(homeless_, {})) {
    Reject(request, RejectReason::kNoWorker, request->record.worker, now);
  }
}

ReferenceResults ReferenceRun::Finish() {
  results_.end_reason = EndReason::kCompleted;
  if (pool_) {
    results_.pool.evicted_tokens = pool_->evicted_tokens();
    results_.pool.max_bytes = pool_->max_bytes();
  }
  for (ReferenceRequest& request : requests_) {
    if (request.record.finish != kUnset) results_.records.push_back(request.record);
    results_.token_times.push_back(std::move(request.tokens));
  }
  results_.events = results_.arrived;
  for (size_t i = 0; i < workers_.size(); ++i) {
    WorkerStats& stats = results_.workers.emplace_back(workers_[i].stats());
    const Member& member = members_[i];
    stats.unavailable = member.unavailable;
    if (member.since != kUnset) stats.unavailable += results_.end_time - member.since;
    results_.events += stats.iterations;
  }
  return std::move(results_);
}

ReferenceResults RunReference(const Plan& plan) {
  const auto complete = WithDefaultPolicies(std::make_shared<const Plan>(plan));
  return ReferenceRun(*complete).Run();
}

}  // namespace tokensim
