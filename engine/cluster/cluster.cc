#include "engine/cluster/cluster.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace tokensim {
namespace {

// Whether other prompts may have text of this one.
bool SharesText(const RequestInput& input) {
  return input.content.prefix_tokens > 0 || !input.content.hash_ids.empty() ||
         input.conversation >= 0;
}

PromptText TextOf(const RequestInput& input) {
  return {.prefix_group = input.content.prefix_group,
          .prefix_tokens = input.content.prefix_tokens,
          .conversation = input.conversation,
          .hash_ids = input.content.hash_ids,
          .hash_block_tokens = input.content.hash_block_tokens};
}

void FillIn(const Plan& plan, const RequestInput& input, int64_t id, RequestHandle handle,
            RequestSlab* slab) {
  LiveRequest& r = (*slab)[handle];
  r.id = id;
  r.arrival = input.arrival;
  r.input_tokens = input.input_tokens;
  r.output_tokens = input.output_tokens;
  r.client_class = input.client_class;
  r.conversation = input.conversation;
  r.turn = input.turn;
  r.last_turn = input.last_turn;
  r.source_tag = input.source_tag;
  if (SharesText(input)) slab->Extras(handle).text = TextOf(input);
  const SloPlan* slo = &plan.slo;
  if (!plan.classes.empty()) {
    const ClassPlan& client = plan.classes[static_cast<size_t>(input.client_class)];
    r.priority = client.priority;
    slo = &client.slo;
  }
  if (slo->ttft) r.deadline = r.arrival > kNever - *slo->ttft ? kNever : r.arrival + *slo->ttft;
}

// Whether somebody beside the records wants to know that a request has ended.
bool ReportsEnds(const Plan& plan) {
  return plan.memory_pool.has_value() || plan.workload.conversations.has_value() ||
         plan.workload.users() > 0 || plan.workload.max_in_flight > 0 ||
         (plan.workload.trace != nullptr && !plan.workload.trace->conversation.empty());
}

}  // namespace

Cluster::Cluster(const Plan& plan, Observer* observer, EventQueue* queue, Results* results,
                 RecordSink* sink)
    : plan_(plan),
      observer_(observer),
      queue_(*queue),
      results_(*results),
      ended_(sink),
      fleet_(plan.workers, observer),
      router_(plan, slab_, workers_),
      boundaries_(&workers_, queue),
      pool_(plan.memory_pool ? std::make_unique<PoolTier>(plan) : nullptr),
      mover_(plan, &slab_, &workers_, &boundaries_, pool_.get(), observer) {
  AddWorkers();
  router_.UpdateCandidates(fleet_);
}

void Cluster::AddWorkers() {
  const bool blocking = plan_.memory_pool && plan_.memory_pool->load == PoolLoad::kBlocking;
  // Who wants no records makes no report, which is what timelines are for.
  const int32_t timeline_points = ended_.wanted() ? plan_.timeline_points : 0;
  for (const WorkerPlan& worker : plan_.workers) {
    const bool migrates = plan_.migrate_on_pressure && worker.role != Role::kPrefill;
    workers_.emplace_back(
        worker, static_cast<int32_t>(workers_.size()), timeline_points,
        Worker::Context{.slab = slab_,
                        .token_times = token_times_,
                        .ended = ended_,
                        .signals = router_.signals(),
                        .observer = observer_,
                        .migration = migrates ? &router_ : nullptr,
                        .pool = blocking ? pool_.get() : nullptr,
                        .report_ends = ReportsEnds(plan_) || router_.wants_finishes(),
                        .layerwise = plan_.network.mode == TransferMode::kLayerwise,
                        .classes = std::max(1, static_cast<int32_t>(plan_.classes.size())),
                        .response_delay = plan_.response_delay});
  }
}

// ---- Requests come, and end

void Cluster::Arrive(const RequestInput& input, int64_t id, SimTime now) {
  const RequestHandle handle = slab_.Allocate();
  FillIn(plan_, input, id, handle, &slab_);
  Dispatch(handle, now, std::nullopt);
}

void Cluster::Dispatch(RequestHandle handle, SimTime now, std::optional<DispatchReason> reason) {
  const LiveRequest& r = slab_[handle];
  if (!router_.can_prefill()) {
    if (!reason && observer_ != nullptr) {
      observer_->OnEvent(now, ArrivedEvent{r.id, -1, r.input_tokens});
    }
    return router_.homeless().Push(handle, now);
  }
  SendTo(router_.ChooseFirst(r), handle, now, reason);
}

void Cluster::SendTo(int32_t index, RequestHandle handle, SimTime now,
                     std::optional<DispatchReason> reason) {
  LiveRequest& r = slab_[handle];
  Worker& worker = At(index);
  if (observer_ != nullptr) {
    if (!reason) {
      observer_->OnEvent(now, ArrivedEvent{r.id, index, r.input_tokens});
    } else {
      observer_->OnEvent(now, DispatchedEvent{r.id, r.worker, index, *reason});
    }
  }
  const RejectReason reject = router_.Check(r, index);
  if (reject != RejectReason::kNone) return Reject(handle, reject, index, now);
  // One whose KV cache was lost begins again.
  if (reason == DispatchReason::kWorkerFailed && r.kv_source != KvSource::kWorker) {
    r.EndDecodeWait(now);
  }
  if (r.kv_source == KvSource::kNone && pool_) pool_->LookUp(&r, worker.plan().block_size);
  r.sent_kv_tokens = r.resumes() ? r.kv_tokens : r.prefill_target();
  router_.signals().AddOutstanding(static_cast<size_t>(index), 1, r.sent_kv_tokens);
  if (worker.Enqueue(handle, now)) boundaries_.Push(index, now);
}

// Where the cache is may be the only worker that decodes: there it would need its blocks twice, so
// the request is computed again.
void Cluster::SendCache(RequestHandle handle, SimTime now, DispatchReason reason) {
  LiveRequest& r = slab_[handle];
  const int32_t from = mover_.sender(r);
  const int32_t target = router_.ChooseNext(r, from);
  mover_.Address(r, target);
  if (target == from) mover_.GiveUp(&r, now);
  SendTo(target, handle, now, reason);
}

void Cluster::Restart(RequestHandle handle, SimTime now) {
  ++results_.redispatched;
  Dispatch(handle, now, DispatchReason::kWorkerFailed);
}

void Cluster::Reject(RequestHandle handle, RejectReason reason, int32_t worker, SimTime now) {
  LiveRequest& r = slab_[handle];
  if (r.move != kNoMove) mover_.GiveUp(&r, now);
  const RequestRecord record = {.request_id = r.id,
                                .arrival = r.arrival,
                                .finish = now,
                                .input_tokens = r.input_tokens,
                                .output_tokens = r.output_tokens,
                                .worker = worker,
                                .reject_reason = reason,
                                .client_class = r.client_class,
                                .turn = r.turn,
                                .conversation = r.conversation};
  ended_.Add(record);
  ++rejected_;
  if (observer_ != nullptr) observer_->OnEvent(now, RejectedEvent{record});
  EndRequest(handle, /*finished=*/false, now);
}

void Cluster::EndRequest(RequestHandle handle, bool finished, SimTime now) {
  const LiveRequest& r = slab_[handle];
  if (pool_) pool_->EndTurn(r, finished, now);
  if (finished && router_.wants_finishes()) router_.OnFinish(r);
  const int64_t tag = r.source_tag;
  slab_.Free(handle);
  if (source_ == nullptr || !source_->reactive()) return;
  if (finished) {
    source_->OnEnded(tag, now + plan_.response_delay);
  } else {
    source_->OnRejected(tag, now);
  }
}

// ---- Workers run, and say what happened

int64_t Cluster::RunWorker(int32_t first, SimTime now, SimTime horizon, int64_t limit) {
  const int64_t ended = boundaries_.Run(first, now, horizon, limit);
  const Worker& worker = At(first);
  if (worker.in_lockstep()) {
    const int32_t ranks = worker.plan().lockstep_ranks;
    for (int32_t i = first; i < first + ranks; ++i) HandleMessages(i, now);
    return ended;
  }
  HandleMessages(first, worker.now());
  if (fleet_.status(first) == WorkerStatus::kDraining && worker.idle()) {
    SetStatus(first, WorkerStatus::kStopped, worker.now());
  }
  return ended;
}

void Cluster::HandleMessages(int32_t worker, SimTime now) {
  if (At(worker).messages().empty()) return;
  inbox_.clear();
  inbox_.swap(At(worker).messages());
  for (const WorkerMessage& message : inbox_) HandleMessage(worker, message, now);
}

void Cluster::HandleMessage(int32_t worker, const WorkerMessage& message, SimTime now) {
  using Kind = WorkerMessage::Kind;
  const RequestHandle handle = message.request;
  switch (message.kind) {
    case Kind::kEnded:
      return EndRequest(handle, /*finished=*/true, now);
    case Kind::kPrefilled:
      return HandOn(worker, handle, -1, DispatchReason::kPrefilled, now);
    case Kind::kMigrates:
      ++results_.migrations;
      router_.signals().AddOutstanding(static_cast<size_t>(worker), -1,
                                       -slab_[handle].sent_kv_tokens);
      return HandOn(worker, handle, message.target, DispatchReason::kMigrated, now);
    case Kind::kPrefillStarts:
      return SendAhead(worker, handle, message.tokens, now);
    case Kind::kLoad:
      return Load(worker, handle, now);
    case Kind::kFetched:
      return pool_->FinishBlockingFetch(slab_[handle].conversation, worker, message.tokens, now);
    case Kind::kSwappedOut:
      return mover_.SwapOut(worker, message.blocks, now);
    case Kind::kFailed:
      return EvacuateWorker(worker, now);
  }
}

void Cluster::HandOn(int32_t from, RequestHandle handle, int32_t target, DispatchReason reason,
                     SimTime now) {
  LiveRequest& r = slab_[handle];
  if (r.move != kNoMove) return mover_.Leave(handle, reason, now);
  slab_.AwaitDecode(handle, now);
  if (!At(from).plan().drops_cache) mover_.Keep(handle, from);
  if (target < 0) {
    if (!router_.can_decode()) return router_.homeless().Push(handle, now);
    target = router_.ChooseNext(r, from);
  }
  if (r.move != kNoMove) mover_.Address(r, target);
  SendTo(target, handle, now, reason);
}

void Cluster::SendAhead(int32_t from, RequestHandle handle, int32_t tokens, SimTime now) {
  if (!router_.can_decode()) return;
  const int32_t target = router_.ChooseNext(slab_[handle], from);
  if (!mover_.BeginAhead(handle, from, target, tokens, now)) return;
  router_.signals().AddOutstanding(static_cast<size_t>(target), 1, tokens);
}

void Cluster::Load(int32_t index, RequestHandle handle, SimTime now) {
  LiveRequest& r = slab_[handle];
  if (!mover_.lost(r)) return mover_.Load(index, handle, now);
  At(index).CancelLoad(handle, now);
  boundaries_.Wake(index, now);
  router_.signals().AddOutstanding(static_cast<size_t>(index), -1, -r.sent_kv_tokens);
  mover_.Drop(&r);
  Restart(handle, now);
}

// ---- Workers fail, recover, start and stop

void Cluster::SetStatus(int32_t worker, WorkerStatus status, SimTime now) {
  fleet_.SetStatus(worker, status, now);
  router_.UpdateCandidates(fleet_);
  At(worker).SetDraining(status == WorkerStatus::kDraining);
}

void Cluster::ApplyWorkerEvent(const WorkerEvent& event, SimTime now) {
  for (const int32_t worker : fleet_.Concerned(event)) {
    switch (event.action) {
      case WorkerAction::kFail:
        BeginFailure(worker, now);
        break;
      case WorkerAction::kRecover:
      case WorkerAction::kScaleUp:
        BeginStart(worker, event.delay, now);
        break;
      case WorkerAction::kScaleDown:
        SetStatus(worker, WorkerStatus::kDraining, now);
        if (At(worker).idle()) SetStatus(worker, WorkerStatus::kStopped, now);
        boundaries_.Hurry(worker, now);  // nobody else comes
        break;
    }
  }
}

void Cluster::BeginStart(int32_t worker, SimTime delay, SimTime now) {
  SetStatus(worker, WorkerStatus::kStarting, now);
  if (delay == 0) return StartWorker(worker, now);
  queue_.Push({now + delay, EventKind::kWorkerStart, static_cast<uint32_t>(worker)});
}

void Cluster::StartWorker(int32_t worker, SimTime now) {
  SetStatus(worker, WorkerStatus::kServing, now);
  PlaceHomeless(now);
}

void Cluster::BeginFailure(int32_t worker, SimTime now) {
  if (fleet_.status(worker) == WorkerStatus::kStarting) {
    queue_.Erase(EventKind::kWorkerStart, static_cast<uint32_t>(worker));
  }
  SetStatus(worker, WorkerStatus::kFailed, now);
  if (At(worker).Fail()) EvacuateWorker(worker, now);
}

// The worker stands still: its requests begin again elsewhere, their KV cache is lost.
void Cluster::EvacuateWorker(int32_t index, SimTime now) {
  boundaries_.Cancel(index);
  for (const uint32_t move : mover_.MovesOf(index)) {
    const auto cut = mover_.CutOff(move, index, now);
    if (!cut) continue;
    router_.signals().AddOutstanding(static_cast<size_t>(cut->to), -1, -cut->tokens);
    if (cut->restarts) Restart(cut->request, now);
  }
  for (const RequestHandle handle : At(index).Evacuate(now)) {
    LiveRequest& r = slab_[handle];
    if (r.kv_source == KvSource::kPool) {
      pool_->Unpin(r.conversation, now);
      r.kv_source = KvSource::kNone;
    }
    if (mover_.lost(r)) mover_.Drop(&r);
    if (r.kv_source != KvSource::kWorker) {
      Restart(handle, now);
      continue;
    }
    ++results_.redispatched;
    if (!r.awaits_decode) slab_.AwaitDecode(handle, now);
    if (router_.can_decode()) {
      SendCache(handle, now, DispatchReason::kWorkerFailed);
    } else {
      router_.homeless().Push(handle, now);
    }
  }
}

void Cluster::PlaceHomeless(SimTime now) {
  const size_t waiting = router_.homeless().size();
  for (size_t i = 0; i < waiting; ++i) {
    const RequestHandle handle = router_.homeless().Pop(now);
    LiveRequest& r = slab_[handle];
    if (mover_.lost(r)) mover_.Drop(&r);
    if (r.kv_source != KvSource::kWorker) {
      Dispatch(handle, now, DispatchReason::kWorkerFailed);
    } else if (router_.can_decode()) {
      SendCache(handle, now, DispatchReason::kPrefilled);
    } else {
      router_.homeless().Push(handle, now);
    }
  }
}

// ---- Results

bool Cluster::EndWaits(SimTime now) {
  bool any = false;
  for (int32_t i = 0; i < fleet_.size(); ++i) any |= boundaries_.Hurry(i, now);
  return any;
}

void Cluster::RejectHomeless(SimTime now) {
  while (router_.homeless().size() > 0) {
    const RequestHandle handle = router_.homeless().Pop(now);
    Reject(handle, RejectReason::kNoWorker, slab_[handle].worker, now);
  }
}

void Cluster::Conclude(SimTime end) {
  SimTime width = 0;
  for (int32_t i = 0; i < fleet_.size(); ++i) {
    Worker& worker = At(i);
    worker.Account(end);
    WorkerStats& stats = results_.workers.emplace_back(worker.stats());
    stats.unavailable = fleet_.Unavailable(i, end);
    stats.max_host_blocks_used = worker.state().host().max_used();
    results_.timelines.push_back(worker.timeline().Averages(end));
    width = std::max(width, results_.timelines.back().interval);
  }
  mover_.Conclude(end, &results_.links);
  results_.homeless = router_.homeless().Integral(end);
  if (pool_) pool_->Conclude(end, width * plan_.timeline_points, &results_);
}

std::span<const WorkerSnapshot> Cluster::Snapshot() {
  snapshot_.clear();
  for (const Worker& worker : workers_) snapshot_.push_back(worker.Snapshot());
  return snapshot_;
}

}  // namespace tokensim
