#include "tests/property/reference_simulation.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "engine/policy/defaults.h"
#include "engine/policy/global/global_scheduler.h"
#include "tests/property/reference_pool.h"
#include "tests/property/reference_worker.h"

namespace tokensim {
namespace {

// A KV cache on its way, or waiting for room where it shall go.
struct ReferenceMove {
  enum class Kind : uint8_t { kKv, kPoolFetch, kSwapIn, kSwapOut };
  Kind kind = Kind::kKv;
  ReferenceRequest* request = nullptr;
  int32_t from = -1;
  int32_t to = -1;
  ReferenceHoldings holdings;  // of the sender
  SimTime start = kUnset;
  SimTime end = kNever;
  int64_t order = 0;  // of the starts
};

class ReferenceRun {
 public:
  explicit ReferenceRun(const Plan& plan)
      : plan_(plan),
        dispatcher_(plan.global_scheduler->Make({plan.seed, "dispatch"})),
        transfer_scheduler_(plan.transfer_scheduler->Make({plan.seed, "transfer"})),
        host_link_free_(plan.workers.size(), 0) {
    for (size_t i = 0; i < plan.workers.size(); ++i) {
      const Role role = plan.workers[i].role;
      FindTarget find;
      if (plan.migrate_on_pressure && role != Role::kPrefill) {
        find = [this](int32_t from, const ReferenceRequest& r) { return MigrationTarget(from, r); };
      }
      workers_.emplace_back(plan.workers[i], static_cast<int32_t>(i), std::move(find));
      if (role != Role::kDecode) prefillers_.push_back(static_cast<int32_t>(i));
      if (role != Role::kPrefill) decoders_.push_back(static_cast<int32_t>(i));
    }
    if (plan.memory_pool) pool_.emplace(*plan.memory_pool);
    next_signals_ = plan.signal_delay > 0 ? plan.signal_delay : kNever;
    stale_signals_ = Signals();
    stale_signals_.refreshes = 1;
  }

  ReferenceResults Run() {
    source_ = MakeRequestSource(plan_.workload, plan_.seed);
    while (true) {
      const SimTime transfer = NextTransfer();
      const SimTime arrival = source_->Peek() != nullptr ? source_->Peek()->arrival : kNever;
      const SimTime boundary = NextBoundary();
      const SimTime now = std::min({transfer, arrival, boundary});
      if (now == kNever) return Finish();
      // At one time: KV caches arrive, requests arrive, signals are read, iterations end.
      if (next_signals_ < now ||
          (next_signals_ == now && boundary == now && transfer > now && arrival > now)) {
        const int64_t refreshes = stale_signals_.refreshes;
        stale_signals_ = Signals();
        stale_signals_.refreshes = refreshes + 1;
        next_signals_ += plan_.signal_delay;
        continue;
      }
      results_.end_time = now;
      if (transfer == now) {
        EndTransfers(now);
      } else if (arrival == now) {
        Arrive();
      } else {
        EndIteration(now);
      }
    }
  }

 private:
  ReferenceWorker& WorkerAt(int32_t i) { return workers_[static_cast<size_t>(i)]; }

  SimTime NextTransfer() const {
    SimTime next = kNever;
    for (const auto& move : moves_) next = std::min(next, move->end);
    return next;
  }
  SimTime NextBoundary() const {
    SimTime next = kNever;
    for (const ReferenceWorker& worker : workers_) next = std::min(next, worker.boundary());
    return next;
  }

  // ---- Dispatch

  void Arrive() {
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
    SendTo(Choose(*dispatcher_, prefillers_, request), &request, request.record.arrival);
  }

  // What the policies may know, counted anew.
  WorkerSignals Signals() const {
    WorkerSignals signals;
    signals.Resize(workers_.size());
    for (const ReferenceRequest& request : requests_) {
      if (request.at >= 0) ++signals.outstanding[static_cast<size_t>(request.at)];
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
                               .conversation = request.input.conversation,
                               .prefix = caches ? &probe : nullptr});
  }

  // Among the decoders that can hold the request if they differ, among those beside the sender with
  // room if they go first.
  int32_t ChooseDecoder(const ReferenceRequest& request, int32_t from) {
    std::vector<int32_t> candidates = decoders_;
    const auto narrow = [&candidates](const auto& may) {
      std::vector<int32_t> chosen;
      std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(chosen), may);
      if (!chosen.empty()) candidates = chosen;
    };
    const auto tokens_of = [this](int32_t i) {
      return WorkerAt(i).plan().kv_blocks * WorkerAt(i).plan().block_size;
    };
    if (std::any_of(decoders_.begin(), decoders_.end(),
                    [&](int32_t i) { return tokens_of(i) != tokens_of(decoders_[0]); })) {
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

  static int64_t Total(const ReferenceRequest& request) {
    return int64_t{request.record.input_tokens} + request.record.output_tokens;
  }

  void SendTo(int32_t to, ReferenceRequest* request, SimTime now) {
    RejectReason reason = WorkerAt(to).CheckFits(request->to_compute(), Total(*request));
    int64_t largest = 0;
    for (const int32_t i : decoders_) {
      largest = std::max(largest, WorkerAt(i).plan().kv_blocks * WorkerAt(i).plan().block_size);
    }
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
    for (const int32_t i : decoders_) {
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
    if (request->move >= 0) {
      ReferenceMove& move = *moves_[static_cast<size_t>(request->move)];
      WorkerAt(move.from).FreeOutgoing(&move.holdings);
      WorkerAt(move.from).Wake(now);
    }
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
    const RequestInput& input = request->input;
    if (pool_ && input.conversation >= 0) {
      if (input.last_turn) {
        pool_->Erase(input.conversation);
      } else {
        pool_->Put(input.conversation, Total(*request) - 1,
                   WorkerAt(request->record.worker).plan().kv_bytes_per_token);
      }
    }
    source_->OnEnded(input.source_tag, now);
  }

  // ---- Running

  void EndIteration(SimTime now) {
    for (size_t i = 0; i < workers_.size(); ++i) {
      if (workers_[i].boundary() != now) continue;
      const auto from = static_cast<int32_t>(i);
      for (const ReferenceMessage& message : workers_[i].Boundary(now, &results_.iterations)) {
        switch (message.kind) {
          case ReferenceMessage::Kind::kEnded:
            End(message.request, now);
            break;
          case ReferenceMessage::Kind::kPrefilled:
            HandOn(from, message.request, -1, now);
            break;
          case ReferenceMessage::Kind::kMigrates:
            ++results_.migrations;
            message.request->at = -1;
            HandOn(from, message.request, message.target, now);
            break;
          case ReferenceMessage::Kind::kLoad:
            Load(from, message.request, now);
            break;
          case ReferenceMessage::Kind::kSwapOut:
            Swap(ReferenceMove::Kind::kSwapOut, from, nullptr,
                 message.blocks * plan_.workers[i].block_size, now);
            break;
        }
      }
      return;
    }
  }

  // A request goes on elsewhere, `to` or where it is sent to decode. Its worker keeps the blocks
  // until the KV cache has arrived there.
  void HandOn(int32_t from, ReferenceRequest* request, int32_t to, SimTime now) {
    if (plan_.workers[static_cast<size_t>(from)].drops_cache) {
      SendTo(ChooseDecoder(*request, from), request, now);
      return;
    }
    const int64_t tokens = request->computed;
    ReferenceHoldings holdings = WorkerAt(from).TakeOutgoing(request);
    request->home = CacheHome::kOtherWorker;
    request->stored = tokens;
    request->move = static_cast<int32_t>(moves_.size());
    if (to < 0) to = ChooseDecoder(*request, from);
    moves_.push_back(std::make_unique<ReferenceMove>(ReferenceMove{
        .request = request, .from = from, .to = to, .holdings = std::move(holdings)}));
    SendTo(to, request, now);
  }

  void Load(int32_t worker, ReferenceRequest* request, SimTime now) {
    if (request->home == CacheHome::kHost) {
      return Swap(ReferenceMove::Kind::kSwapIn, worker, request, request->stored, now);
    }
    if (request->home == CacheHome::kPool) return Fetch(worker, request, now);
    ReferenceMove& move = *moves_[static_cast<size_t>(request->move)];
    const bool near = WorkerAt(move.from).plan().node == WorkerAt(move.to).plan().node;
    const LinkConfig& link = near ? plan_.network.intra_node : plan_.network.inter_node;
    move.start = now;
    // An unlimited link: every group of blocks takes the latency, one after the other.
    move.end = now + plan_.network.groups * FromSeconds(link.latency_seconds);
    move.order = starts_++;
  }

  void Fetch(int32_t worker, ReferenceRequest* request, SimTime now) {
    const MemoryPoolConfig& config = *plan_.memory_pool;
    const double latency = config.fetch_latency_per_block_seconds *
                           static_cast<double>(WorkerAt(worker).BlocksOf(request->stored));
    const double link_latency = config.link ? config.link->latency_seconds : 0;
    moves_.push_back(std::make_unique<ReferenceMove>(
        ReferenceMove{.kind = ReferenceMove::Kind::kPoolFetch,
                      .request = request,
                      .to = worker,
                      .start = now,
                      .end = now + FromSeconds(latency + link_latency),
                      .order = starts_++}));
  }

  // Over the worker's host link, one copy after the other.
  void Swap(ReferenceMove::Kind kind, int32_t worker, ReferenceRequest* request, int64_t tokens,
            SimTime now) {
    const WorkerPlan& plan = plan_.workers[static_cast<size_t>(worker)];
    const LinkConfig& link = plan.host_link;
    SimTime& free = host_link_free_[static_cast<size_t>(worker)];
    SimTime end = std::max(free, now + FromSeconds(link.latency_seconds));
    if (link.bandwidth_bytes_per_second > 0) {
      const auto bytes = static_cast<double>(tokens * plan.kv_bytes_per_token);
      const double nanos = bytes / link.bandwidth_bytes_per_second * 1e9;
      end += static_cast<SimTime>(std::ceil(std::max(0.0, nanos - 1e-3)));
    }
    free = end;
    moves_.push_back(std::make_unique<ReferenceMove>(ReferenceMove{.kind = kind,
                                                                   .request = request,
                                                                   .to = worker,
                                                                   .start = now,
                                                                   .end = end,
                                                                   .order = starts_++}));
  }

  // Those of host memory last; else in the order of the starts.
  void EndTransfers(SimTime now) {
    std::vector<ReferenceMove*> ended;
    for (const auto& move : moves_) {
      if (move->end == now) ended.push_back(move.get());
    }
    std::sort(ended.begin(), ended.end(), [](const ReferenceMove* a, const ReferenceMove* b) {
      const auto rank = [](const ReferenceMove* m) {
        const bool host =
            m->kind == ReferenceMove::Kind::kSwapIn || m->kind == ReferenceMove::Kind::kSwapOut;
        return std::pair(host, m->order);
      };
      return rank(a) < rank(b);
    });
    for (ReferenceMove* move : ended) {
      move->end = kNever;
      ReferenceRequest* request = move->request;
      if (move->kind == ReferenceMove::Kind::kSwapOut) continue;
      if (move->kind == ReferenceMove::Kind::kKv) {
        SimTime& moved = request->record.kv_transfer;
        moved = std::max<SimTime>(moved, 0) + now - std::max(move->start, request->tokens.back());
        WorkerAt(move->from).FreeOutgoing(&move->holdings);
        WorkerAt(move->from).Wake(now);
        request->move = -1;
      }
      if (move->kind == ReferenceMove::Kind::kPoolFetch) {
        pool_->Unpin(request->input.conversation);
        results_.pool.hit_tokens += request->stored;
      }
      WorkerAt(move->to).FinishLoad(request);
      WorkerAt(move->to).Wake(now);
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
    for (const ReferenceWorker& worker : workers_) results_.workers.push_back(worker.stats());
    return std::move(results_);
  }

  const Plan& plan_;
  std::unique_ptr<RequestSource> source_;
  std::deque<ReferenceRequest> requests_;
  std::deque<ReferenceWorker> workers_;
  std::vector<int32_t> prefillers_;
  std::vector<int32_t> decoders_;
  std::unique_ptr<GlobalScheduler> dispatcher_;
  std::unique_ptr<GlobalScheduler> transfer_scheduler_;
  std::vector<std::unique_ptr<ReferenceMove>> moves_;
  std::optional<ReferencePool> pool_;
  std::vector<SimTime> host_link_free_;  // when its last copy ends
  int64_t starts_ = 0;
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
