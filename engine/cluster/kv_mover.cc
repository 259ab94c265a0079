#include "engine/cluster/kv_mover.h"

#include <algorithm>
#include <string>

#include "engine/base/invariant.h"
#include "engine/network/sharing_registry.h"
#include "engine/worker/breakpoints.h"

namespace tokensim {
namespace {

std::vector<int32_t> NodesOf(const Plan& plan) {
  std::vector<int32_t> nodes;
  for (const WorkerPlan& worker : plan.workers) nodes.push_back(worker.node);
  return nodes;
}

}  // namespace

KvMover::KvMover(const Plan& plan, RequestSlab* slab, std::deque<Worker>* workers,
                 Boundaries* boundaries, PoolTier* pool, Observer* observer)
    : plan_(plan),
      slab_(*slab),
      workers_(*workers),
      boundaries_(*boundaries),
      pool_(pool),
      observer_(observer),
      network_(plan.network, NodesOf(plan)),
      host_network_({.sharing = SharingRules().Make(kHostLinkSharing)}, {}) {
  for (const WorkerPlan& worker : plan.workers) {
    host_links_.push_back(worker.overlap_swap ? host_network_.AddLink(NamedLink(
                                                    worker.host_link, worker.name + " host"))
                                              : -1);
  }
  if (plan.memory_pool && plan.memory_pool->link && plan.memory_pool->load == PoolLoad::kAsync) {
    pool_link_ = network_.AddLink(NamedLink(*plan.memory_pool->link, "memory pool"));
  }
}

uint32_t KvMover::NewMove(MoveKind kind, MoveState state, RequestHandle handle, int32_t from,
                          int32_t to, int32_t tokens) {
  if (free_moves_.empty()) {
    free_moves_.push_back(static_cast<uint32_t>(moves_.size()));
    moves_.emplace_back();
  }
  const uint32_t index = free_moves_.back();
  free_moves_.pop_back();
  moves_[index] = {.kind = kind,
                   .state = state,
                   .request = handle,
                   .from = from,
                   .to = to,
                   .tokens = tokens,
                   .order = moves_made_++};
  return index;
}

void KvMover::FreeMove(uint32_t index) {
  moves_[index].state = MoveState::kFree;
  free_moves_.push_back(index);
}

// ---- Between workers

void KvMover::Keep(RequestHandle handle, int32_t from) {
  LiveRequest& r = slab_[handle];
  r.kv_source = KvSource::kWorker;
  r.kv_tokens = r.computed;
  r.move = NewMove(MoveKind::kKv, MoveState::kWaiting, handle, from, -1, r.computed);
  moves_[r.move].holdings = At(from).TakeOutgoing(handle);
  r.computed = 0;
}

// With batches formed ahead the request has its first token already: `tokens` are without it.
bool KvMover::BeginAhead(RequestHandle handle, int32_t from, int32_t to, int32_t tokens,
                         SimTime now) {
  LiveRequest& r = slab_[handle];
  Worker& receiver = At(to);
  r.kv_tokens = tokens;  // of no meaning unless the cache begins to move
  if (receiver.CheckFits(tokens, int64_t{r.input_tokens} + r.output_tokens) !=
          RejectReason::kNone ||
      !receiver.ReserveLoad(handle, now)) {
    return false;  // it is sent when the prefill has ended
  }
  r.move = NewMove(MoveKind::kKv, MoveState::kAhead, handle, from, to, tokens);
  const Worker& sender = At(from);
  const LayerReleases releases = FindLayerReleases(sender.plan(), sender.iteration_shape(),
                                                   sender.compute_begin(), sender.iteration_end());
  StartKv(r.move, releases.first, releases.last, now);
  return true;
}

void KvMover::Leave(RequestHandle handle, DispatchReason reason, SimTime now) {
  LiveRequest& r = slab_[handle];
  Move& move = moves_[r.move];
  r.computed = move.tokens;
  move.holdings = At(move.from).TakeOutgoing(handle);
  r.computed = 0;
  r.kv_source = KvSource::kWorker;
  r.worker = move.to;
  r.sent_kv_tokens = move.tokens;
  SimTime& queueing = slab_.Extras(handle).decode_queueing;
  queueing = std::max<SimTime>(queueing, 0);  // it was taken before
  At(move.to).BeginReservedLoad(handle, now);
  if (observer_ != nullptr) {
    observer_->OnEvent(now, DispatchedEvent{r.id, move.from, move.to, reason});
  }
  if (move.state == MoveState::kArrivedEarly) return FinishKv(r.move, now);
  move.state = MoveState::kUnderWay;
}

void KvMover::StartKv(uint32_t index, SimTime first_layer, SimTime last_layer, SimTime now) {
  Move& move = moves_[index];
  const WorkerPlan& sender = plan_.workers[static_cast<size_t>(move.from)];
  move.start = now;
  move.transfer = network_.Start(now,
                                 network_.KvTransfer({.from = move.from,
                                                      .to = move.to,
                                                      .bytes = sender.KvBytes(move.tokens),
                                                      .layers = sender.num_layers,
                                                      .first_layer = first_layer,
                                                      .last_layer = last_layer}),
                                 index);
}

// The cache is there: the sender gives up its blocks, the receiver goes on.
void KvMover::FinishKv(uint32_t index, SimTime now) {
  const Move& move = moves_[index];
  LiveRequest& r = slab_[move.request];
  Worker& sender = At(move.from);
  if (observer_ != nullptr) {
    observer_->OnEvent(now, TransferredEvent{.request_id = r.id,
                                             .from = move.from,
                                             .to = move.to,
                                             .start = move.start,
                                             .bytes = sender.plan().KvBytes(move.tokens),
                                             .tokens = move.tokens});
  }
  const SimTime since = std::max(move.start, r.last_token);
  SimTime& moved = slab_.Extras(move.request).kv_transfer;
  moved = std::max<SimTime>(moved, 0) + (now - since);
  sender.FreeOutgoing(move.holdings, now);
  boundaries_.Wake(move.from, now);
  r.kv_source = KvSource::kWorker;
  r.worker = move.to;
  At(move.to).FinishLoad(move.request, now);
  boundaries_.Wake(move.to, now);
  r.move = kNoMove;
  FreeMove(index);
}

void KvMover::Drop(LiveRequest* r) {
  FreeMove(r->move);
  r->move = kNoMove;
  r->kv_source = KvSource::kNone;
}

void KvMover::GiveUp(LiveRequest* r, SimTime now) {
  const Move& move = moves_[r->move];
  if (move.state != MoveState::kLost) {
    At(move.from).FreeOutgoing(move.holdings, now);
    boundaries_.Wake(move.from, now);
  }
  Drop(r);
}

// ---- From the memory pool, to and from host memory

void KvMover::Load(int32_t worker, RequestHandle handle, SimTime now) {
  LiveRequest& r = slab_[handle];
  if (r.kv_source == KvSource::kWorker) {
    r.EndDecodeWait(now);
    Move& move = moves_[r.move];
    TOKENSIM_INVARIANT(move.state == MoveState::kWaiting, "a cache that does not wait is loaded");
    move.state = MoveState::kUnderWay;
    return StartKv(r.move, now, now, now);
  }
  const bool from_pool = r.kv_source == KvSource::kPool;
  const auto kind = from_pool ? MoveKind::kPoolFetch : MoveKind::kSwapIn;
  TransferSpec spec{
      .bytes = At(worker).plan().KvBytes(r.kv_tokens), .first_release = now, .last_release = now};
  if (from_pool) {
    if (pool_link_) spec.path.Append(*pool_link_);
    spec.extra_latency_seconds = pool_->LookUpSeconds(worker, r.kv_tokens);
  } else {
    spec.path.Append(host_links_[static_cast<size_t>(worker)]);
  }
  StartLoad(
      NewMove(kind, MoveState::kUnderWay, handle, from_pool ? -1 : worker, worker, r.kv_tokens),
      spec, now);
}

void KvMover::SwapOut(int32_t worker, int64_t blocks, SimTime now) {
  const WorkerPlan& plan = At(worker).plan();
  TransferSpec spec{
      .bytes = blocks * plan.KvBlockBytes(), .first_release = now, .last_release = now};
  spec.path.Append(host_links_[static_cast<size_t>(worker)]);
  StartLoad(NewMove(MoveKind::kSwapOut, MoveState::kUnderWay, kNoRequest, worker, worker, 0), spec,
            now);
}

void KvMover::StartLoad(uint32_t index, const TransferSpec& spec, SimTime now) {
  moves_[index].start = now;
  moves_[index].transfer = NetworkOf(moves_[index].kind).Start(now, spec, index);
}

void KvMover::FinishLoad(uint32_t index, SimTime now) {
  const Move& move = moves_[index];
  const LiveRequest& r = slab_[move.request];
  Worker& worker = At(move.to);
  if (move.kind == MoveKind::kPoolFetch) {
    pool_->FinishFetch(r.conversation, move.tokens, now);
    if (observer_ != nullptr) {
      observer_->OnEvent(now, TransferredEvent{.request_id = r.id,
                                               .from = -1,
                                               .to = move.to,
                                               .start = move.start,
                                               .bytes = worker.plan().KvBytes(move.tokens),
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
  boundaries_.Wake(move.to, now);
  FreeMove(index);
}

// ---- All moves

void KvMover::Advance(SimTime now) {
  completed_.clear();
  network_.Advance(now, &completed_);
  host_network_.Advance(now, &completed_);
  for (const CompletedTransfer& transfer : completed_) {
    FinishMove(static_cast<uint32_t>(transfer.tag), now);
  }
}

void KvMover::FinishMove(uint32_t index, SimTime now) {
  Move& move = moves_[index];
  move.transfer = kNoTransfer;
  switch (move.kind) {
    case MoveKind::kKv:
      if (move.state != MoveState::kAhead) return FinishKv(index, now);
      move.state = MoveState::kArrivedEarly;
      return;
    case MoveKind::kSwapOut:
      return FreeMove(index);
    case MoveKind::kPoolFetch:
    case MoveKind::kSwapIn:
      return FinishLoad(index, now);
  }
}

std::vector<uint32_t> KvMover::MovesOf(int32_t worker) const {
  std::vector<uint32_t> found;
  for (uint32_t i = 0; i < moves_.size(); ++i) {
    const Move& move = moves_[i];
    if (move.state == MoveState::kFree) continue;
    if (move.from == worker || move.to == worker) found.push_back(i);
  }
  std::sort(found.begin(), found.end(),
            [this](uint32_t a, uint32_t b) { return moves_[a].order < moves_[b].order; });
  return found;
}

std::optional<KvMover::CutOffRequest> KvMover::CutOff(uint32_t index, int32_t failed, SimTime now) {
  Move& move = moves_[index];
  const bool under_way = move.transfer != kNoTransfer;
  if (under_way) NetworkOf(move.kind).Cancel(now, move.transfer);
  move.transfer = kNoTransfer;
  if (move.kind != MoveKind::kKv) {
    FreeMove(index);
    return std::nullopt;
  }
  const bool ahead = move.state == MoveState::kAhead || move.state == MoveState::kArrivedEarly;
  if (move.from == failed) {
    // One that waits finds out when it is to be loaded.
    if (!under_way) {
      move.state = MoveState::kLost;
      return std::nullopt;
    }
  } else if (!ahead) {
    // The cache is still at the sender, for another receiver.
    if (move.state == MoveState::kUnderWay) move.state = MoveState::kWaiting;
    return std::nullopt;
  }
  const CutOffRequest cut{.request = move.request,
                          .to = move.to,
                          .tokens = move.tokens,
                          .restarts = move.from == failed};
  At(cut.to).CancelLoad(cut.request, now);
  boundaries_.Wake(cut.to, now);
  Drop(&slab_[cut.request]);
  return cut;
}

// ---- Results

void KvMover::Conclude(SimTime end, std::vector<LinkSummary>* links) const {
  AddLinks(network_, end, links);
  AddLinks(host_network_, end, links);
}

void KvMover::AddLinks(const Network& network, SimTime end, std::vector<LinkSummary>* links) const {
  for (LinkId link = 0; link < network.links(); ++link) {
    const LinkStats stats = network.Stats(link, end);
    if (stats.transfers == 0) continue;
    std::string owner;
    if (stats.owner == LinkStats::Owner::kWorker) {
      owner = plan_.workers[static_cast<size_t>(stats.owner_index)].name + ' ';
    } else if (stats.owner == LinkStats::Owner::kNode) {
      owner = "node " + std::to_string(stats.owner_index) + ' ';
    }
    links->push_back({owner + std::string(stats.name), stats.transfers, stats.bytes, stats.busy,
                      stats.bytes_per_second});
  }
}

}  // namespace tokensim
