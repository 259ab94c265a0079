#include "tests/property/reference_simulation.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "engine/policy/defaults.h"
#include "engine/policy/global/global_scheduler.h"
#include "engine/run/observer.h"
#include "tests/property/reference_moves.h"
#include "tests/property/reference_pool.h"
#include "tests/property/reference_worker.h"

namespace tokensim {
namespace {

// What prompts have in common begins alike: engine/policy/global/global_scheduler.h.
uint64_t PrefixKey(const RequestInput& input) {
  const PromptContent& content = input.content;
  if (content.prefix_tokens > 0) return 2 * (content.prefix_group + 1);
  if (!content.hash_ids.empty()) return 2 * static_cast<uint64_t>(content.hash_ids[0]) + 1;
  if (input.conversation < 0) return 0;
  return 2 * (static_cast<uint64_t>(input.conversation) + 1) | 1ULL << 63;
}

class ReferenceRun {
 public:
  explicit ReferenceRun(const Plan& plan)
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

  ReferenceResults Run() {
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

 private:
  // How a worker is doing.
  struct Member {
    WorkerStatus status = WorkerStatus::kServing;
    SimTime starts = kNever;  // kStarting: until then
    SimTime since = kUnset;   // not available since; else kUnset
    SimTime unavailable = 0;  // before
  };

  ReferenceWorker& WorkerAt(int32_t i) { return workers_[static_cast<size_t>(i)]; }
  const WorkerPlan& PlanOf(int32_t i) const { return plan_.workers[static_cast<size_t>(i)]; }
  Member& MemberAt(int32_t i) { return members_[static_cast<size_t>(i)]; }

  // Of a request at the global scheduler.
  SimTime NextArrival() const {
    const RequestInput* next = source_->Peek();
    return next != nullptr ? next->arrival + plan_.request_delay : kNever;
  }
  SimTime NextWorkerEvent() const {
    return next_event_ < plan_.worker_events.size() ? plan_.worker_events[next_event_].time
                                                    : kNever;
  }
  SimTime NextStart() const {
    SimTime next = kNever;
    for (const Member& member : members_) next = std::min(next, member.starts);
    return next;
  }
  SimTime NextBoundary() const {
    SimTime next = kNever;
    for (size_t i = 0; i < workers_.size(); ++i) next = std::min(next, BoundaryOf(i));
    return next;
  }
  // Of ranks in lock-step, the first one's is that of all: when the iteration of any ends, else
  // when the first of them has something to do.
  SimTime BoundaryOf(size_t i) const {
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

  // Nothing else can happen: who waits for more requests runs what is there.
  bool EndWaits(SimTime now) {
    bool any = false;
    for (ReferenceWorker& worker : workers_) {
      if (!worker.waits()) continue;
      worker.Hurry(now);
      any = true;
    }
    return any;
  }

  // Serving workers that compute prompts, or that decode.
  std::vector<int32_t> Candidates(Role other) const {
    std::vector<int32_t> candidates;
    for (size_t i = 0; i < workers_.size(); ++i) {
      const bool serves = members_[i].status == WorkerStatus::kServing;
      if (serves && plan_.workers[i].role != other) candidates.push_back(static_cast<int32_t>(i));
    }
    return candidates;
  }
  std::vector<int32_t> Prefillers() const { return Candidates(Role::kDecode); }
  std::vector<int32_t> Decoders() const { return Candidates(Role::kPrefill); }

  // ---- Dispatch

  void Arrive(SimTime now) {
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

  // To a worker that computes its prompt, as soon as there is one.
  void Dispatch(ReferenceRequest* request, SimTime now) {
    const std::vector<int32_t> candidates = Prefillers();
    if (candidates.empty()) {
      homeless_.push_back(request);
      return;
    }
    request->EndDecodeWait(now);  // it begins again
    SendTo(Choose(*dispatcher_, candidates, *request), request, now);
  }

  // What the policies may know, counted anew.
  WorkerSignals Signals() const {
    WorkerSignals signals;
    signals.Resize(workers_.size());
    for (const ReferenceRequest& request : requests_) {
      const auto count = [&signals](int32_t worker, int64_t kv_tokens) {
        if (worker < 0) return;
        ++signals.outstanding[static_cast<size_t>(worker)];
        signals.outstanding_kv_tokens[static_cast<size_t>(worker)] += kv_tokens;
      };
      count(request.at, request.sent_kv_tokens);
      if (request.reserved_at >= 0) count(request.reserved_at, request.move->tokens);
    }
    for (size_t i = 0; i < workers_.size(); ++i) {
      signals.waiting[i] = static_cast<int32_t>(workers_[i].waiting());
      signals.outstanding_tokens[i] = workers_[i].pending_tokens();
      signals.kv_used[i] = workers_[i].blocks().used();
      signals.kv_total[i] = plan_.workers[i].kv_blocks;
    }
    return signals;
  }

  class Probe final : public PrefixProbe {
   public:
    Probe(const std::deque<ReferenceWorker>& workers, const ReferenceRequest& request)
        : workers_(workers), request_(request) {}
    int32_t HitTokens(int32_t worker) const override {
      return static_cast<int32_t>(workers_[static_cast<size_t>(worker)].HitTokens(request_));
    }

   private:
    const std::deque<ReferenceWorker>& workers_;
    const ReferenceRequest& request_;
  };

  int32_t Choose(GlobalScheduler& scheduler, const std::vector<int32_t>& candidates,
                 const ReferenceRequest& request) {
    const WorkerSignals signals = plan_.signal_delay > 0 ? stale_signals_ : Signals();
    const Probe probe(workers_, request);
    const bool caches = std::any_of(plan_.workers.begin(), plan_.workers.end(),
                                    [](const WorkerPlan& w) { return w.prefix_caching; });
    return scheduler.Dispatch({.signals = signals,
                               .candidates = candidates,
                               .input_tokens = static_cast<int32_t>(request.to_compute()),
                               .transfer = &scheduler == transfer_scheduler_.get(),
                               .conversation = request.input.conversation,
                               .prefix_key = PrefixKey(request.input),
                               .prefix = caches ? &probe : nullptr});
  }

  // As far as there are any: among the others, among those that can hold the request if the
  // decoders differ, among those beside the sender with room if they go first.
  int32_t ChooseDecoder(const ReferenceRequest& request, int32_t from) {
    std::vector<int32_t> candidates = Decoders();
    const auto narrow = [&candidates](const auto& may) {
      std::vector<int32_t> chosen;
      std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(chosen), may);
      if (!chosen.empty()) candidates = chosen;
    };
    if (PlanOf(from).role != Role::kPrefill) {
      narrow([&](int32_t i) { return i != from; });
    }
    const std::vector<int64_t> sizes = DecoderTokens();
    if (std::any_of(sizes.begin(), sizes.end(), [&](int64_t size) { return size != sizes[0]; })) {
      narrow([&](int32_t i) {
        return WorkerAt(i).CheckFits(request.to_compute(), Total(request)) == RejectReason::kNone;
      });
    }
    if (plan_.intra_node_first) {
      narrow([&](int32_t i) {
        const ReferenceWorker& worker = WorkerAt(i);
        return worker.plan().node == WorkerAt(from).plan().node &&
               worker.blocks().free() > worker.BlocksOf(request.to_compute());
      });
    }
    return Choose(*transfer_scheduler_, candidates, request);
  }

  // KV caches that the workers which decode can hold, whether they serve or not.
  std::vector<int64_t> DecoderTokens() const {
    std::vector<int64_t> sizes;
    for (const WorkerPlan& worker : plan_.workers) {
      if (worker.role != Role::kPrefill) sizes.push_back(worker.kv_blocks * worker.block_size);
    }
    return sizes;
  }

  static int64_t Total(const ReferenceRequest& request) {
    return int64_t{request.record.input_tokens} + request.record.output_tokens;
  }

  void SendTo(int32_t to, ReferenceRequest* request, SimTime now) {
    RejectReason reason = WorkerAt(to).CheckFits(request->to_compute(), Total(*request));
    int64_t largest = 0;
    for (const int64_t tokens : DecoderTokens()) largest = std::max(largest, tokens);
    const bool will_decode = request->generated() + 1 < request->record.output_tokens;
    if (reason == RejectReason::kNone && will_decode && Total(*request) - 1 > largest) {
      reason = RejectReason::kKvCapacity;
    }
    if (reason != RejectReason::kNone) return Reject(request, reason, to, now);
    if (request->home == CacheHome::kNowhere) LookUpPool(request, WorkerAt(to).plan().block_size);
    WorkerAt(to).Enqueue(request, now);
  }

  // Whole blocks of the turns before; the last token is computed in any case.
  void LookUpPool(ReferenceRequest* request, int64_t block_size) {
    if (!pool_ || request->input.conversation < 0 || request->input.turn == 0) return;
    const int64_t found = pool_->Find(request->input.conversation);
    const int64_t tokens = std::min(found, request->to_compute() - 1) / block_size * block_size;
    if (tokens == 0) return;
    pool_->Pin(request->input.conversation);
    request->home = CacheHome::kPool;
    request->stored = tokens;
  }

  // Of the decoders with a free place, room for the KV cache and for as much again, and nobody
  // waiting, the one with the most blocks left.
  int32_t MigrationTarget(int32_t from, const ReferenceRequest& request) {
    int32_t best = -1;
    int64_t most = 0;
    for (const int32_t i : Decoders()) {
      const ReferenceWorker& worker = WorkerAt(i);
      if (i == from || worker.plan().block_size != WorkerAt(from).plan().block_size) continue;
      if (worker.has_waiting() || worker.slots() >= worker.plan().scheduler.max_num_seqs) continue;
      if (worker.CheckFits(request.to_compute(), Total(request)) != RejectReason::kNone) continue;
      const int64_t left =
          worker.blocks().free() - 2 * worker.BlocksOf(request.computed) - worker.decodes();
      if (left > most) {
        most = left;
        best = i;
      }
    }
    return best;
  }

  void Reject(ReferenceRequest* request, RejectReason reason, int32_t worker, SimTime now) {
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

  void End(ReferenceRequest* request, SimTime now) {
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

  // ---- Running

  void EndIteration(SimTime now) {
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

  // The slowest rank and what is fetched last set the pace; those without a batch compute along.
  void EndLockstepIteration(int32_t first, SimTime now) {
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

  void Handle(const ReferenceMessage& message, int32_t from, SimTime now) {
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
                                            .tokens = message.blocks * PlanOf(from).block_size}),
                                now);
      case ReferenceMessage::Kind::kFailed:
        return Evacuate(from, now);
    }
  }

  // A request goes on elsewhere, `to` or where it is sent to decode. Its worker keeps the blocks
  // until the KV cache has arrived there.
  void HandOn(int32_t from, ReferenceRequest* request, int32_t to, SimTime now) {
    if (request->move != nullptr) return FollowLayers(request, now);
    request->handed_on = now;
    if (!PlanOf(from).drops_cache) {
      request->home = CacheHome::kOtherWorker;
      request->stored = request->computed;
      request->move =
          moves_.Add({.request = request, .from = from, .to = to, .tokens = request->stored});
      request->move->holdings = WorkerAt(from).TakeOutgoing(request);
    }
    if (to < 0 && Decoders().empty()) {
      homeless_.push_back(request);
      return;
    }
    if (to < 0) to = ChooseDecoder(*request, from);
    if (request->move != nullptr) request->move->to = to;
    SendTo(to, request, now);
  }

  // The last iteration of a prompt begins: a decoder with room keeps blocks, and each layer is sent
  // when it is computed.
  void SendLayers(int32_t from, ReferenceRequest* request, int64_t tokens, SimTime now) {
    if (Decoders().empty()) return;
    const int32_t to = ChooseDecoder(*request, from);
    if (WorkerAt(to).CheckFits(tokens, Total(*request)) != RejectReason::kNone) return;
    if (!WorkerAt(to).ReserveLoad(request, tokens)) return;
    request->move = moves_.Add(
        {.request = request, .from = from, .to = to, .tokens = tokens, .reserved = true});
    const SimTime begin = WorkerAt(from).compute_begin();
    const SimTime end = WorkerAt(from).boundary();
    moves_.StartKv(request->move, begin + (end - begin) / PlanOf(from).num_layers, end, now);
  }

  // The prompt is computed, its layers were sent before.
  void FollowLayers(ReferenceRequest* request, SimTime now) {
    ReferenceMove& move = *request->move;
    move.holdings = WorkerAt(move.from).TakeOutgoing(request);
    move.reserved = false;
    request->held = std::exchange(request->reserved, {});
    request->reserved_at = -1;
    request->at = request->record.worker = move.to;
    request->home = CacheHome::kOtherWorker;
    request->stored = move.tokens;
    request->sent_kv_tokens = move.tokens;
    request->waits_since = now;
    request->record.decode_queueing = std::max<SimTime>(request->record.decode_queueing, 0);
    if (move.arrived) EndMove(&move, now);
  }

  void Load(int32_t worker, ReferenceRequest* request, SimTime now) {
    if (request->home == CacheHome::kOtherWorker) {
      if (!request->move->lost) {
        request->EndDecodeWait(now);
        return moves_.StartKv(request->move, now, now, now);
      }
      WorkerAt(worker).CancelLoad(request);
      WorkerAt(worker).Wake(now);
      DropMove(request);
      ++results_.redispatched;
      return Dispatch(request, now);
    }
    ReferenceMove move{.request = request, .to = worker, .tokens = request->stored};
    if (request->home == CacheHome::kHost) {
      move.kind = ReferenceMove::Kind::kSwapIn;
      move.from = worker;
      return moves_.StartSwap(moves_.Add(move), now);
    }
    move.kind = ReferenceMove::Kind::kPoolFetch;
    moves_.StartFetch(moves_.Add(move), WorkerAt(worker).BlocksOf(request->stored), now);
  }

  // A KV cache has arrived.
  void EndMove(ReferenceMove* move, SimTime now) {
    ReferenceRequest* request = move->request;
    if (move->reserved) {
      move->arrived = true;  // before its prompt has ended
      return;
    }
    if (move->kind != ReferenceMove::Kind::kSwapOut) {
      if (move->kind == ReferenceMove::Kind::kKv) {
        SimTime& moved = request->record.kv_transfer;
        moved = std::max<SimTime>(moved, 0) + now - std::max(move->start, request->tokens.back());
        GiveBack(move, now);
        request->move = nullptr;
      }
      if (move->kind == ReferenceMove::Kind::kPoolFetch) {
        pool_->Unpin(request->input.conversation);
        results_.pool.hit_tokens += request->stored;
      }
      WorkerAt(move->to).FinishLoad(request);
      WorkerAt(move->to).Wake(now);
    }
    moves_.Remove(move);
  }

  // The sender needs not keep the blocks any longer.
  void GiveBack(ReferenceMove* move, SimTime now) {
    WorkerAt(move->from).FreeOutgoing(&move->holdings);
    WorkerAt(move->from).Wake(now);
  }

  void DropMove(ReferenceRequest* request) {
    moves_.Remove(request->move);
    request->move = nullptr;
    request->home = CacheHome::kNowhere;
  }

  // ---- Workers that fail, recover, start and stop

  void SetStatus(int32_t i, WorkerStatus status, SimTime now) {
    Member& member = MemberAt(i);
    member.status = status;
    member.starts = kNever;
    WorkerAt(i).SetDraining(status == WorkerStatus::kDraining);
    const bool available = status == WorkerStatus::kServing || status == WorkerStatus::kDraining;
    if (!available && member.since == kUnset) member.since = now;
    if (available && member.since != kUnset) {
      member.unavailable += now - member.since;
      member.since = kUnset;
    }
  }

  void Apply(const WorkerEvent& event, SimTime now) {
    switch (event.action) {
      case WorkerAction::kFail: {
        const WorkerStatus status = MemberAt(event.worker).status;
        if (status == WorkerStatus::kFailed || status == WorkerStatus::kStopped) return;
        SetStatus(event.worker, WorkerStatus::kFailed, now);
        if (WorkerAt(event.worker).Fail()) Evacuate(event.worker, now);
        return;
      }
      case WorkerAction::kRecover:
        if (MemberAt(event.worker).status == WorkerStatus::kFailed) {
          Start(event.worker, event.delay, now);
        }
        return;
      case WorkerAction::kScaleUp:
      case WorkerAction::kScaleDown:
        return Scale(event, now);
    }
  }

  // The first that can start, the last that can stop.
  void Scale(const WorkerEvent& event, SimTime now) {
    int32_t left = event.count;
    for (int32_t k = 0; k < event.group_size && left > 0; ++k) {
      const bool up = event.action == WorkerAction::kScaleUp;
      const int32_t i = event.first_worker + (up ? k : event.group_size - 1 - k);
      if (MemberAt(i).status != (up ? WorkerStatus::kStopped : WorkerStatus::kServing)) continue;
      --left;
      if (up) {
        Start(i, event.delay, now);
      } else {
        SetStatus(i, WorkerAt(i).idle() ? WorkerStatus::kStopped : WorkerStatus::kDraining, now);
        if (WorkerAt(i).waits()) WorkerAt(i).Hurry(now);
      }
    }
  }

  void Start(int32_t i, SimTime delay, SimTime now) {
    SetStatus(i, WorkerStatus::kStarting, now);
    MemberAt(i).starts = now + delay;
    if (delay == 0) Serve(i, now);
  }

  void StartFirst(SimTime now) {
    for (int32_t i = 0; i < static_cast<int32_t>(workers_.size()); ++i) {
      if (MemberAt(i).starts == now) return Serve(i, now);
    }
  }

  void Serve(int32_t i, SimTime now) {
    SetStatus(i, WorkerStatus::kServing, now);
    for (ReferenceRequest* request : std::exchange(homeless_, {})) {
      if (request->move != nullptr && request->move->lost) DropMove(request);
      GoOn(request, now);
    }
  }

  // A request without a worker: with its KV cache, or from the beginning.
  void GoOn(ReferenceRequest* request, SimTime now) {
    if (request->home != CacheHome::kOtherWorker) return Dispatch(request, now);
    if (Decoders().empty()) {
      homeless_.push_back(request);
      return;
    }
    const int32_t from = request->move->from;
    const int32_t to = ChooseDecoder(*request, from);
    request->move->to = to;
    if (to == from) {  // nobody else decodes, and there it would need its blocks twice
      GiveBack(request->move, now);
      DropMove(request);
      request->EndDecodeWait(now);
    }
    SendTo(to, request, now);
  }

  // A worker has stopped: what it had is lost.
  void Evacuate(int32_t failed, SimTime now) {
    for (ReferenceMove* move : moves_.All()) {
      if (move->from == failed || move->to == failed) LoseMove(move, failed, now);
    }
    for (ReferenceRequest* request : WorkerAt(failed).Evacuate()) {
      ++results_.redispatched;
      if (request->home == CacheHome::kPool) {
        pool_->Unpin(request->input.conversation);
        request->home = CacheHome::kNowhere;
      }
      if (request->move != nullptr && request->move->lost) DropMove(request);
      const bool has_cache = request->home == CacheHome::kOtherWorker;
      if (has_cache && request->handed_on == kUnset) request->handed_on = now;
      GoOn(request, now);
    }
  }

  void LoseMove(ReferenceMove* move, int32_t failed, SimTime now) {
    const bool under_way = move->under_way();
    moves_.Cancel(move, now);
    ReferenceRequest* request = move->request;
    if (move->kind != ReferenceMove::Kind::kKv) return moves_.Remove(move);
    if (move->from == failed) {
      move->lost = true;
      if (!under_way) return;  // the receiver finds out when it has room
    } else if (!move->reserved) {
      return;  // the cache is still where it was
    }
    const int32_t to = move->to;
    WorkerAt(to).CancelLoad(request);
    WorkerAt(to).Wake(now);
    const bool runs_on = move->from != failed;
    DropMove(request);
    if (runs_on) return;
    ++results_.redispatched;
    Dispatch(request, now);
  }

  void RejectHomeless(SimTime now) {
    for (ReferenceRequest* request : std::exchange(homeless_, {})) {
      Reject(request, RejectReason::kNoWorker, request->record.worker, now);
    }
  }

  ReferenceResults Finish() {
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

  const Plan& plan_;
  std::unique_ptr<RequestSource> source_;
  std::deque<ReferenceRequest> requests_;
  std::deque<ReferenceWorker> workers_;
  std::unique_ptr<GlobalScheduler> dispatcher_;
  std::unique_ptr<GlobalScheduler> transfer_scheduler_;
  ReferenceMoves moves_;
  std::vector<Member> members_;
  std::vector<ReferenceRequest*> homeless_;  // wait for a worker
  int64_t live_ = 0;
  size_t next_event_ = 0;  // of the plan's
  std::optional<ReferencePool> pool_;
  SimTime next_signals_ = kNever;
  WorkerSignals stale_signals_;
  ReferenceResults results_;
};

}  // namespace

ReferenceResults RunReference(const Plan& plan) {
  const auto complete = WithDefaultPolicies(std::make_shared<const Plan>(plan));
  return ReferenceRun(*complete).Run();
}

}  // namespace tokensim
