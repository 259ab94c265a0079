// KV caches that move: from prefill to decode workers, between decode workers, out of the memory
// pool, to and from host memory.
#include <algorithm>
#include <utility>

#include "engine/base/invariant.h"
#include "engine/cluster/cluster.h"
#include "engine/worker/breakpoints.h"

namespace tokensim {

uint32_t Cluster::NewMove(MoveKind kind, RequestHandle handle, int32_t from, int32_t to,
                          int32_t tokens) {
  if (free_moves_.empty()) {
    free_moves_.push_back(static_cast<uint32_t>(moves_.size()));
    moves_.emplace_back();
  }
  const uint32_t index = free_moves_.back();
  free_moves_.pop_back();
  moves_[index] = {.kind = kind,
                   .used = true,
                   .request = handle,
                   .from = from,
                   .to = to,
                   .tokens = tokens,
                   .order = moves_made_++};
  return index;
}

void Cluster::FreeMove(uint32_t index) {
  moves_[index].used = false;
  free_moves_.push_back(index);
}

int32_t Cluster::ChooseTransferTarget(const LiveRequest& r, int32_t from) {
  std::span<const int32_t> candidates = decode_candidates_;
  const auto narrow = [&](std::vector<int32_t>* chosen, const auto& may) {
    chosen->clear();
    for (const int32_t i : candidates) {
      if (may(workers_[static_cast<size_t>(i)])) chosen->push_back(i);
    }
    if (!chosen->empty()) candidates = *chosen;
  };
  if (plan_.workers[static_cast<size_t>(from)].role != Role::kPrefill) {
    narrow(&other_candidates_,
           [&](const Worker& worker) { return &worker != &workers_[static_cast<size_t>(from)]; });
  }
  if (decoders_differ_) {
    narrow(&fitting_candidates_, [&](const Worker& worker) {
      return worker.CheckFits(r.prefill_target(), int64_t{r.input_tokens} + r.output_tokens) ==
             RejectReason::kNone;
    });
  }
  if (plan_.intra_node_first) {
    const int32_t node = plan_.workers[static_cast<size_t>(from)].node;
    narrow(&node_candidates_, [&](const Worker& worker) {
      return worker.plan().node == node &&
             worker.state().free_blocks() > worker.state().BlocksFor(r.prefill_target());
    });
  }
  return Choose(*transfer_scheduler_, candidates, r);
}

int32_t Cluster::FindTarget(int32_t from, RequestHandle request) {
  const LiveRequest& r = slab_[request];
  const WorkerState& sender = workers_[static_cast<size_t>(from)].state();
  const int64_t blocks = sender.BlocksFor(sender.decodes().Computed(r));
  int32_t best = -1;
  int64_t most = 0;
  const int32_t block_size = plan_.workers[static_cast<size_t>(from)].block_size;
  for (const int32_t candidate : decode_candidates_) {
    const Worker& worker = workers_[static_cast<size_t>(candidate)];
    // Room for the cache and for as much again to grow.
    if (candidate == from || worker.plan().block_size != block_size ||
        worker.state().has_waiting() ||
        worker.state().slots_used() >= worker.plan().scheduler.max_num_seqs ||
        worker.CheckFits(r.input_tokens, int64_t{r.input_tokens} + r.output_tokens) !=
            RejectReason::kNone) {
      continue;
    }
    const int64_t free = worker.state().free_blocks() - 2 * blocks - worker.state().decode_count();
    if (free > most) {
      most = free;
      best = candidate;
    }
  }
  return best;
}

// A request leaves `from` with its KV cache.
void Cluster::HandOn(int32_t from, RequestHandle handle, int32_t target, DispatchReason reason,
                     SimTime now) {
  LiveRequest& r = slab_[handle];
  Worker& sender = workers_[static_cast<size_t>(from)];
  if (r.move != kNoMove) {  // it is being sent layer by layer
    Move& move = moves_[r.move];
    r.computed = move.tokens;
    move.holdings = sender.TakeOutgoing(handle);
    move.prefilled = true;
    r.computed = 0;
    r.kv_source = KvSource::kWorker;
    r.worker = move.to;
    r.sent_kv_tokens = move.tokens;
    r.decode_queueing = std::max<SimTime>(r.decode_queueing, 0);  // it was taken before
    workers_[static_cast<size_t>(move.to)].BeginReservedLoad(now);
    if (observer_ != nullptr) observer_->OnEvent(now, DispatchedEvent{r.id, from, move.to, reason});
    if (move.arrived) FinishKv(r.move, now);
    return;
  }
  r.AwaitDecode(now);
  if (!sender.plan().drops_cache) {
    r.kv_source = KvSource::kWorker;
    r.kv_tokens = r.computed;
    r.move = NewMove(MoveKind::kKv, handle, from, -1, r.computed);
    moves_[r.move].holdings = sender.TakeOutgoing(handle);
    moves_[r.move].prefilled = true;
    r.computed = 0;
  }
  if (target < 0 && decode_candidates_.empty()) {
    return PushHomeless(handle, now);
  }
  if (target < 0) target = ChooseTransferTarget(r, from);
  if (r.move != kNoMove) moves_[r.move].to = target;
  SendTo(target, handle, now, reason);
}

void Cluster::StartKv(uint32_t index, SimTime first_layer, SimTime last_layer, SimTime now) {
  Move& move = moves_[index];
  const WorkerPlan& sender = plan_.workers[static_cast<size_t>(move.from)];
  move.start = now;
  move.transfer =
      network_.Start(now,
                     network_.KvTransfer({.from = move.from,
                                          .to = move.to,
                                          .bytes = move.tokens * sender.kv_bytes_per_token,
                                          .layers = sender.num_layers,
                                          .first_layer = first_layer,
                                          .last_layer = last_layer}),
                     index);
}

// With batches formed ahead the request has its first token already: `tokens` are without it.
void Cluster::BeginLayerwise(int32_t from, RequestHandle handle, int32_t tokens, SimTime now) {
  LiveRequest& r = slab_[handle];
  if (decode_candidates_.empty()) return;
  const int32_t target = ChooseTransferTarget(r, from);
  Worker& receiver = workers_[static_cast<size_t>(target)];
  const int32_t kv_tokens = std::exchange(r.kv_tokens, tokens);
  if (receiver.CheckFits(tokens, int64_t{r.input_tokens} + r.output_tokens) !=
          RejectReason::kNone ||
      !receiver.ReserveLoad(handle, now)) {
    r.kv_tokens = kv_tokens;  // it is sent when the prefill has ended
    return;
  }
  signals_.AddOutstanding(static_cast<size_t>(target), 1, tokens);
  r.move = NewMove(MoveKind::kKv, handle, from, target, tokens);
  moves_[r.move].layerwise = true;
  const Worker& sender = workers_[static_cast<size_t>(from)];
  const LayerReleases releases =
      FindLayerReleases(sender.plan(), sender.iteration_shape(), now, sender.iteration_end());
  StartKv(r.move, releases.first, releases.last, now);
}

void Cluster::BeginLoad(int32_t index, RequestHandle handle, SimTime now) {
  LiveRequest& r = slab_[handle];
  Worker& worker = workers_[static_cast<size_t>(index)];
  const int64_t bytes = r.kv_tokens * worker.plan().kv_bytes_per_token;
  if (r.kv_source == KvSource::kWorker) {
    if (moves_[r.move].lost) {
      worker.CancelLoad(handle, now);
      WakeWorker(index, now);
      signals_.AddOutstanding(static_cast<size_t>(index), -1, -r.sent_kv_tokens);
      DropMove(r);
      ++results_.redispatched;
      return Dispatch(handle, now, DispatchReason::kWorkerFailed);
    }
    r.EndDecodeWait(now);
    return StartKv(r.move, now, now, now);
  }
  const bool from_pool = r.kv_source == KvSource::kPool;
  const auto kind = from_pool ? MoveKind::kPoolFetch : MoveKind::kSwapIn;
  const uint32_t index_of_move = NewMove(kind, handle, from_pool ? -1 : index, index, r.kv_tokens);
  TransferSpec spec{.bytes = bytes, .first_release = now, .last_release = now};
  if (from_pool) {
    if (pool_link_) spec.path.Append(*pool_link_);
    spec.extra_latency_seconds = plan_.memory_pool->fetch_latency_per_block_seconds *
                                 static_cast<double>(worker.state().BlocksFor(r.kv_tokens));
  } else {
    spec.path.Append(host_links_[static_cast<size_t>(index)]);
  }
  moves_[index_of_move].start = now;
  moves_[index_of_move].transfer = NetworkOf(kind).Start(now, spec, index_of_move);
}

SimTime Cluster::FetchFromPool(int32_t index, int32_t tokens, SimTime now) {
  const auto after = [](SimTime time, double seconds) {
    const SimTime duration = FromSeconds(seconds);
    return duration < kNever - time ? time + duration : kNever;
  };
  const Worker& worker = workers_[static_cast<size_t>(index)];
  const MemoryPoolConfig& config = *plan_.memory_pool;
  double latency = config.fetch_latency_per_block_seconds *
                   static_cast<double>(worker.state().BlocksFor(tokens));
  if (!config.link) return after(now, latency);
  latency += config.link->latency_seconds;
  PoolLink& link = blocking_link_;
  SimTime end = after(now, latency);
  if (config.link->bandwidth_bytes_per_second > 0) {
    const auto bytes = static_cast<double>(tokens * worker.plan().kv_bytes_per_token);
    end = after(std::max(link.free, end), bytes / config.link->bandwidth_bytes_per_second);
    link.free = end;
  }
  link.busy += std::max<SimTime>(0, end - std::max(now, link.busy_until));
  link.busy_until = std::max(link.busy_until, end);
  return end;
}

// The iteration that began with the fetch is over: the pool may drop what it kept for it.
void Cluster::EndFetch(int32_t index, RequestHandle handle, int32_t tokens, SimTime now) {
  AccountPool(now);
  pool_->Unpin(slab_[handle].conversation);
  results_.pool.hit_tokens += tokens;
  ++blocking_link_.transfers;
  blocking_link_.bytes += tokens * plan_.workers[static_cast<size_t>(index)].kv_bytes_per_token;
}

void Cluster::BeginSwapOut(int32_t index, const WorkerMessage& message, SimTime now) {
  const Worker& worker = workers_[static_cast<size_t>(index)];
  const uint32_t move = NewMove(MoveKind::kSwapOut, kNoRequest, index, index, 0);
  TransferSpec spec{
      .bytes = message.blocks * worker.plan().block_size * worker.plan().kv_bytes_per_token,
      .first_release = now,
      .last_release = now};
  spec.path.Append(host_links_[static_cast<size_t>(index)]);
  moves_[move].start = now;
  moves_[move].transfer = host_network_.Start(now, spec, move);
}

void Cluster::AdvanceTransfers(SimTime now) {
  completed_.clear();
  network_.Advance(now, &completed_);
  host_network_.Advance(now, &completed_);
  for (const CompletedTransfer& transfer : completed_) {
    FinishMove(static_cast<uint32_t>(transfer.tag), now);
  }
}

void Cluster::FinishMove(uint32_t index, SimTime now) {
  Move& move = moves_[index];
  move.transfer = kNoTransfer;
  switch (move.kind) {
    case MoveKind::kKv:
      if (move.layerwise && !move.prefilled) {
        move.arrived = true;
        return;
      }
      return FinishKv(index, now);
    case MoveKind::kSwapOut:
      return FreeMove(index);
    case MoveKind::kPoolFetch:
    case MoveKind::kSwapIn:
      break;
  }
  LiveRequest& r = slab_[move.request];
  Worker& worker = workers_[static_cast<size_t>(move.to)];
  if (move.kind == MoveKind::kPoolFetch) {
    AccountPool(now);
    pool_->Unpin(r.conversation);
    results_.pool.hit_tokens += move.tokens;
    if (observer_ != nullptr) {
      observer_->OnEvent(now,
                         TransferredEvent{.request_id = r.id,
                                          .from = -1,
                                          .to = move.to,
                                          .start = move.start,
                                          .bytes = move.tokens * worker.plan().kv_bytes_per_token,
                                          .tokens = move.tokens});
    }
  } else if (observer_ != nullptr) {
    observer_->OnEvent(now, SwappedEvent{.request_id = r.id,
                                         .worker = move.to,
                                         .out = false,
                                         .blocks = worker.state().BlocksFor(move.tokens),
                                         .generated_tokens = r.generated});
  }
  worker.FinishLoad(move.request, now);
  WakeWorker(move.to, now);
  FreeMove(index);
}

// The cache is there: the sender gives up its blocks, the receiver goes on.
void Cluster::FinishKv(uint32_t index, SimTime now) {
  const Move& move = moves_[index];
  LiveRequest& r = slab_[move.request];
  Worker& sender = workers_[static_cast<size_t>(move.from)];
  Worker& receiver = workers_[static_cast<size_t>(move.to)];
  if (observer_ != nullptr) {
    observer_->OnEvent(now,
                       TransferredEvent{.request_id = r.id,
                                        .from = move.from,
                                        .to = move.to,
                                        .start = move.start,
                                        .bytes = move.tokens * sender.plan().kv_bytes_per_token,
                                        .tokens = move.tokens});
  }
  const SimTime since = std::max(move.start, r.last_token);
  r.kv_transfer = std::max<SimTime>(r.kv_transfer, 0) + (now - since);
  sender.FreeOutgoing(move.holdings, now);
  WakeWorker(move.from, now);
  r.kv_source = KvSource::kWorker;
  r.worker = move.to;
  receiver.FinishLoad(move.request, now);
  WakeWorker(move.to, now);
  r.move = kNoMove;
  FreeMove(index);
}

}  // namespace tokensim
