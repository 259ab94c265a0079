#include "engine/cluster/cluster.h"

#include <algorithm>
#include <utility>

#include "engine/base/invariant.h"
#include "engine/network/sharing_registry.h"

namespace tokensim {
namespace {

// The router's own look into a worker's prefix cache.
class WorkerPrefixProbe final : public PrefixProbe {
 public:
  WorkerPrefixProbe(const std::deque<Worker>& workers, const LiveRequest& request)
      : workers_(workers), request_(request) {}
  int32_t HitTokens(int32_t worker) const override {
    return workers_[static_cast<size_t>(worker)].state().HitTokens(request_);
  }

 private:
  const std::deque<Worker>& workers_;
  const LiveRequest& request_;
};

// Reports list links by name: an added one says what it belongs to.
LinkConfig Named(LinkConfig link, const std::string& owner) {
  link.name = link.name.empty() ? owner : owner + ' ' + link.name;
  return link;
}

std::vector<int32_t> NodesOf(const Plan& plan) {
  std::vector<int32_t> nodes;
  for (const WorkerPlan& worker : plan.workers) nodes.push_back(worker.node);
  return nodes;
}

uint64_t PrefixKey(const PromptText& text) {
  if (text.prefix_tokens > 0) return 2 * (text.prefix_group + 1);
  if (!text.hash_ids.empty()) return 2 * static_cast<uint64_t>(text.hash_ids[0]) + 1;
  if (text.conversation >= 0)
    return 2 * (static_cast<uint64_t>(text.conversation) + 1) | 1ULL << 63;
  return 0;
}

}  // namespace

Cluster::Cluster(const Plan& plan, Observer* observer, EventQueue* queue, Results* results,
                 RecordSink* sink)
    : plan_(plan),
      observer_(observer),
      queue_(*queue),
      results_(*results),
      ended_(sink),
      dispatcher_(plan.global_scheduler->Make({plan.seed, "dispatch"})),
      transfer_scheduler_(plan.transfer_scheduler->Make({plan.seed, "transfer"})),
      network_(plan.network, NodesOf(plan)),
      host_network_({.sharing = SharingRules().Make(kHostLinkSharing)}, {}) {
  const auto count = plan.workers.size();
  signals_.Resize(count);
  members_.resize(count);
  lockstep_running_.resize(count);
  bool report_ends = plan.memory_pool.has_value() || plan.workload.conversations.has_value();
  report_ends = report_ends || std::holds_alternative<ClosedLoopArrivals>(plan.workload.arrivals) ||
                (plan.workload.trace != nullptr && !plan.workload.trace->conversation.empty());
  if (plan.global_scheduler->traits().wants_finishes) {
    finish_listeners_.push_back(dispatcher_.get());
  }
  if (plan.transfer_scheduler->traits().wants_finishes) {
    finish_listeners_.push_back(transfer_scheduler_.get());
  }
  report_ends = report_ends || !finish_listeners_.empty();
  const auto classes = std::max(1, static_cast<int32_t>(plan.classes.size()));
  const bool layerwise = plan.network.mode == TransferMode::kLayerwise;
  for (size_t i = 0; i < count; ++i) {
    const WorkerPlan& worker = plan.workers[i];
    MigrationPlanner* migration =
        plan.migrate_on_pressure && worker.role != Role::kPrefill ? this : nullptr;
    PoolReader* pool =
        plan.memory_pool && plan.memory_pool->load == PoolLoad::kBlocking ? this : nullptr;
    workers_.emplace_back(worker, static_cast<int32_t>(i), plan.timeline_points,
                          Worker::Context{slab_, ended_, signals_, observer, migration, pool,
                                          report_ends, layerwise, classes, plan.response_delay});
    signals_.kv_total[i] = worker.kv_blocks;
    any_prefix_cache_ = any_prefix_cache_ || worker.prefix_caching;
    if (worker.role != Role::kPrefill) {
      const int64_t tokens = worker.kv_blocks * worker.block_size;
      decoders_differ_ =
          decoders_differ_ || (largest_decode_tokens_ > 0 && largest_decode_tokens_ != tokens);
      largest_decode_tokens_ = std::max(largest_decode_tokens_, tokens);
    }
    host_links_.push_back(
        worker.overlap_swap ? host_network_.AddLink(Named(worker.host_link, worker.name + " host"))
                            : -1);
    if (!worker.serving) {
      members_[i] = {WorkerStatus::kStopped, 0};
    }
  }
  if (plan.memory_pool) {
    pool_.emplace(*plan.memory_pool);
    pool_timeline_.emplace(plan.timeline_points, /*has_store=*/true);
    if (plan.memory_pool->link && plan.memory_pool->load == PoolLoad::kAsync) {
      pool_link_ = network_.AddLink(Named(*plan.memory_pool->link, "memory pool"));
    }
  }
  if (plan.signal_delay > 0) signals_.refreshes = 1;
  stale_signals_ = signals_;
  UpdateCandidates();
}

// ---- Arrival and dispatch

void Cluster::Arrive(const RequestInput& input, int64_t id, SimTime now) {
  Dispatch(Admit(input, id), now, std::nullopt);
}

RequestHandle Cluster::Admit(const RequestInput& input, int64_t id) {
  const RequestHandle handle = slab_.Allocate();
  LiveRequest& r = slab_[handle];
  r.id = id;
  r.arrival = input.arrival;
  r.input_tokens = input.input_tokens;
  r.output_tokens = input.output_tokens;
  r.client_class = input.client_class;
  r.conversation = input.conversation;
  r.turn = input.turn;
  r.last_turn = input.last_turn;
  r.source_tag = input.source_tag;
  r.text = {.prefix_group = input.content.prefix_group,
            .prefix_tokens = input.content.prefix_tokens,
            .conversation = input.conversation,
            .hash_ids = input.content.hash_ids,
            .hash_block_tokens = input.content.hash_block_tokens};
  const SloPlan* slo = &plan_.slo;
  if (!plan_.classes.empty()) {
    const ClassPlan& client = plan_.classes[static_cast<size_t>(input.client_class)];
    r.priority = client.priority;
    slo = &client.slo;
  }
  if (slo->ttft) r.deadline = r.arrival > kNever - *slo->ttft ? kNever : r.arrival + *slo->ttft;
  return handle;
}

int32_t Cluster::Choose(GlobalScheduler& scheduler, std::span<const int32_t> candidates,
                        const LiveRequest& r) {
  const WorkerPrefixProbe probe(workers_, r);
  return scheduler.Dispatch({.signals = plan_.signal_delay > 0 ? stale_signals_ : signals_,
                             .candidates = candidates,
                             .input_tokens = r.prefill_target(),
                             .transfer = &scheduler == transfer_scheduler_.get(),
                             .conversation = r.conversation,
                             .prefix_key = PrefixKey(r.text),
                             .prefix = any_prefix_cache_ ? &probe : nullptr});
}

void Cluster::Dispatch(RequestHandle handle, SimTime now, std::optional<DispatchReason> reason) {
  const LiveRequest& r = slab_[handle];
  if (prefill_candidates_.empty()) {
    if (!reason && observer_ != nullptr)
      observer_->OnEvent(now, ArrivedEvent{r.id, -1, r.input_tokens});
    return PushHomeless(handle, now);
  }
  SendTo(Choose(*dispatcher_, prefill_candidates_, r), handle, now, reason);
}

void Cluster::SendTo(int32_t index, RequestHandle handle, SimTime now,
                     std::optional<DispatchReason> reason) {
  LiveRequest& r = slab_[handle];
  Worker& worker = workers_[static_cast<size_t>(index)];
  if (observer_ != nullptr) {
    if (!reason) {
      observer_->OnEvent(now, ArrivedEvent{r.id, index, r.input_tokens});
    } else {
      observer_->OnEvent(now, DispatchedEvent{r.id, r.worker, index, *reason});
    }
  }
  const int64_t total = int64_t{r.input_tokens} + r.output_tokens;
  RejectReason reject = worker.CheckFits(r.prefill_target(), total);
  if (reject == RejectReason::kNone && total - 1 > largest_decode_tokens_ &&
      r.generated + 1 < r.output_tokens) {
    reject = RejectReason::kKvCapacity;
  }
  if (reject != RejectReason::kNone) return Reject(handle, reject, index, now);
  // One whose KV cache was lost begins again.
  if (reason == DispatchReason::kWorkerFailed && r.kv_source != KvSource::kWorker) {
    r.EndDecodeWait(now);
  }
  if (r.kv_source == KvSource::kNone) LookUpPool(r, worker.plan().block_size);
  r.sent_kv_tokens = r.resumes() ? r.kv_tokens : r.prefill_target();
  signals_.AddOutstanding(static_cast<size_t>(index), 1, r.sent_kv_tokens);
  if (worker.Enqueue(handle, now)) PushBoundary(index, now);
}

// What the memory pool has of the conversation, up to whole blocks and but for the last token,
// whose output is needed.
void Cluster::LookUpPool(LiveRequest& r, int32_t block_size) {
  if (!pool_ || r.conversation < 0 || r.turn == 0) return;
  const int32_t tokens = std::min(pool_->Find(r.conversation), r.prefill_target() - 1);
  const int32_t whole = tokens / block_size * block_size;
  if (whole == 0) return;
  pool_->Pin(r.conversation);
  r.kv_source = KvSource::kPool;
  r.kv_tokens = whole;
}

void Cluster::Reject(RequestHandle handle, RejectReason reason, int32_t worker, SimTime now) {
  LiveRequest& r = slab_[handle];
  if (r.move != kNoMove) {
    const Move& move = moves_[r.move];
    if (!move.lost) {  // a sender that failed has nothing to free
      workers_[static_cast<size_t>(move.from)].FreeOutgoing(move.holdings, now);
      WakeWorker(move.from, now);
    }
    DropMove(r);
  }
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
  if (pool_ && r.conversation >= 0) {
    AccountPool(now);
    if (r.last_turn || !finished) {
      pool_->Erase(r.conversation);
    } else {
      const WorkerPlan& worker = plan_.workers[static_cast<size_t>(r.worker)];
      pool_->Put(r.conversation, r.input_tokens + r.output_tokens - 1, worker.kv_bytes_per_token);
    }
  }
  if (finished && !finish_listeners_.empty()) TellRouters(r);
  const int64_t tag = r.source_tag;
  slab_.Free(handle);
  if (source_ == nullptr || !source_->reactive()) return;
  if (finished) {
    source_->OnEnded(tag, now + plan_.response_delay);
  } else {
    source_->OnRejected(tag, now);
  }
}

void Cluster::TellRouters(const LiveRequest& r) {
  const FinishedRequest request = {.worker = r.worker,
                                   .input_tokens = r.input_tokens,
                                   .output_tokens = r.output_tokens,
                                   .conversation = r.conversation,
                                   .prefix_key = PrefixKey(r.text)};
  for (GlobalScheduler* scheduler : finish_listeners_) scheduler->OnFinish(request);
}

// ---- Running

// The collectives of every layer make the ranks wait for the slowest. A rank without requests
// computes along with one token, for its experts are needed (vLLM's execute_dummy_batch).
int64_t Cluster::RunLockstep(int32_t first, SimTime now) {
  const int32_t end_rank = first + plan_.workers[static_cast<size_t>(first)].lockstep_ranks;
  const auto rank = [&](int32_t i) -> Worker& { return workers_[static_cast<size_t>(i)]; };
  bool any = false;
  int64_t ended = 0;
  int64_t gathered = 0;
  lockstep_has_batch_.clear();
  for (int32_t i = first; i < end_rank; ++i) {
    if (rank(i).iteration_end() != kUnset) ++ended;
    lockstep_has_batch_.push_back(rank(i).Prepare(now));
    any = any || lockstep_has_batch_.back();
    gathered += rank(i).BatchTokens();
  }
  if (any) {
    SimTime end = kNever;
    double seconds = 0;
    SimTime fetch = 0;
    for (int32_t i = first; i < end_rank; ++i) {
      seconds = std::max(seconds, rank(i).BatchSeconds(gathered));
      fetch = std::max(fetch, rank(i).FetchFromPool(now));
    }
    for (int32_t i = first; i < end_rank; ++i) {
      if (!lockstep_has_batch_[static_cast<size_t>(i - first)]) continue;
      rank(i).Launch(now, seconds, fetch);
      end = rank(i).iteration_end();
    }
    for (int32_t i = first; i < end_rank; ++i) {
      if (!lockstep_has_batch_[static_cast<size_t>(i - first)]) rank(i).StandBy(end);
    }
    queue_.ReplaceTop({end, EventKind::kBoundary, static_cast<uint32_t>(first)});
  } else {
    queue_.Pop();
    lockstep_running_[static_cast<size_t>(first)] = false;
  }
  for (int32_t i = first; i < end_rank; ++i) HandleMessages(i, now);
  return ended;
}

int64_t Cluster::RunWorker(int32_t index, SimTime now, SimTime horizon, int64_t limit) {
  if (plan_.workers[static_cast<size_t>(index)].lockstep_first >= 0) return RunLockstep(index, now);
  Worker& worker = workers_[static_cast<size_t>(index)];
  const int64_t iterations = worker.stats().iterations;
  const SimTime end = worker.Run(now, horizon, limit);
  if (end == kNever) {
    queue_.Pop();
  } else {
    queue_.ReplaceTop({end, EventKind::kBoundary, static_cast<uint32_t>(index)});
  }
  if (!worker.messages().empty()) HandleMessages(index, worker.now());
  if (members_[static_cast<size_t>(index)].status == WorkerStatus::kDraining && worker.idle()) {
    SetStatus(index, WorkerStatus::kStopped, worker.now());
  }
  return worker.stats().iterations - iterations;
}

void Cluster::HandleMessages(int32_t index, SimTime now) {
  using Kind = WorkerMessage::Kind;
  inbox_.clear();
  inbox_.swap(workers_[static_cast<size_t>(index)].messages());
  for (const WorkerMessage& message : inbox_) {
    switch (message.kind) {
      case Kind::kEnded:
        EndRequest(message.request, /*finished=*/true, now);
        break;
      case Kind::kPrefilled:
        HandOn(index, message.request, -1, DispatchReason::kPrefilled, now);
        break;
      case Kind::kMigrates:
        ++results_.migrations;
        signals_.AddOutstanding(static_cast<size_t>(index), -1,
                                -slab_[message.request].sent_kv_tokens);
        HandOn(index, message.request, message.target, DispatchReason::kMigrated, now);
        break;
      case Kind::kPrefillStarts:
        BeginLayerwise(index, message.request, message.tokens, now);
        break;
      case Kind::kLoad:
        BeginLoad(index, message.request, now);
        break;
      case Kind::kFetched:
        EndFetch(index, message.request, message.tokens, now);
        break;
      case Kind::kSwappedOut:
        BeginSwapOut(index, message, now);
        break;
      case Kind::kFailed:
        FailWorker(index, now);
        break;
    }
  }
}

void Cluster::WakeWorker(int32_t index, SimTime now) {
  if (workers_[static_cast<size_t>(index)].Wake()) PushBoundary(index, now);
}

void Cluster::PushBoundary(int32_t index, SimTime now) {
  const int32_t first = plan_.workers[static_cast<size_t>(index)].lockstep_first;
  if (first >= 0) {
    if (lockstep_running_[static_cast<size_t>(first)]) return;
    lockstep_running_[static_cast<size_t>(first)] = true;
    index = first;
  }
  queue_.Push({now, EventKind::kBoundary, static_cast<uint32_t>(index)});
}

// ---- Results

void Cluster::RejectHomeless(SimTime now) {
  while (!homeless_.empty()) {
    const RequestHandle handle = PopHomeless(now);
    Reject(handle, RejectReason::kNoWorker, slab_[handle].worker, now);
  }
}

void Cluster::Conclude(SimTime end) {
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = workers_[i];
    worker.Account(end);
    WorkerStats& stats = results_.workers.emplace_back(worker.stats());
    if (members_[i].unavailable_since != kUnset) {
      stats.unavailable += end - members_[i].unavailable_since;
    }
    stats.max_host_blocks_used = worker.state().host().max_used();
    results_.timelines.push_back(worker.timeline().Averages(end));
  }
  AddLinkSummaries(network_, end);
  AddLinkSummaries(host_network_, end);
  AccountHomeless(end);
  if (pool_) {
    AddPoolLinkSummary(end);
    results_.pool.evicted_tokens = pool_->evicted_tokens();
    results_.pool.max_bytes = pool_->max_used_bytes();
    SimTime width = 0;
    for (const WorkerTimeline& t : results_.timelines) width = std::max(width, t.interval);
    AccountPool(std::min(end, width * plan_.timeline_points));
    results_.pool.bytes = pool_timeline_->Averages(end).stored;
  }
}

void Cluster::AccountPool(SimTime now) {
  pool_timeline_->Add(pool_accounted_, now, {}, /*busy=*/false, pool_->used_bytes());
  pool_accounted_ = now;
}

void Cluster::PushHomeless(RequestHandle handle, SimTime now) {
  AccountHomeless(now);
  homeless_.push_back(handle);
}

RequestHandle Cluster::PopHomeless(SimTime now) {
  AccountHomeless(now);
  const RequestHandle handle = homeless_.front();
  homeless_.pop_front();
  return handle;
}

void Cluster::AccountHomeless(SimTime now) {
  results_.homeless += static_cast<__int128>(homeless_.size()) * (now - homeless_accounted_);
  homeless_accounted_ = now;
}

void Cluster::AddPoolLinkSummary(SimTime end) {
  const PoolLink& link = blocking_link_;
  if (link.transfers == 0 || !plan_.memory_pool->link) return;
  results_.links.push_back({Named(*plan_.memory_pool->link, "memory pool").name, link.transfers,
                            link.bytes, link.busy - std::max<SimTime>(0, link.busy_until - end),
                            plan_.memory_pool->link->bandwidth_bytes_per_second});
}

void Cluster::AddLinkSummaries(const Network& network, SimTime end) {
  for (LinkId link = 0; link < network.links(); ++link) {
    const LinkStats stats = network.Stats(link, end);
    if (stats.transfers == 0) continue;
    std::string owner;
    if (stats.owner == LinkStats::Owner::kWorker) {
      owner = plan_.workers[static_cast<size_t>(stats.owner_index)].name + ' ';
    } else if (stats.owner == LinkStats::Owner::kNode) {
      owner = "node " + std::to_string(stats.owner_index) + ' ';
    }
    results_.links.push_back({owner + std::string(stats.name), stats.transfers, stats.bytes,
                              stats.busy, stats.bytes_per_second});
  }
}

std::span<const WorkerSnapshot> Cluster::Snapshot() {
  snapshot_.clear();
  for (const Worker& worker : workers_) snapshot_.push_back(worker.Snapshot());
  return snapshot_;
}

}  // namespace tokensim
