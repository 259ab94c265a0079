// Workers that fail, recover, start and stop.
#include <algorithm>
#include <utility>

#include "engine/base/invariant.h"
#include "engine/cluster/cluster.h"

namespace tokensim {

void Cluster::UpdateCandidates() {
  prefill_candidates_.clear();
  decode_candidates_.clear();
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (members_[i].status != WorkerStatus::kServing) continue;
    const Role role = plan_.workers[i].role;
    if (role != Role::kDecode) prefill_candidates_.push_back(static_cast<int32_t>(i));
    if (role != Role::kPrefill) decode_candidates_.push_back(static_cast<int32_t>(i));
  }
}

void Cluster::SetStatus(int32_t index, WorkerStatus status, SimTime now) {
  Member& member = members_[static_cast<size_t>(index)];
  const auto available = [](WorkerStatus s) {
    return s == WorkerStatus::kServing || s == WorkerStatus::kDraining;
  };
  if (available(member.status) && !available(status)) member.unavailable_since = now;
  if (!available(member.status) && available(status)) {
    workers_[static_cast<size_t>(index)].AddUnavailable(now - member.unavailable_since);
    member.unavailable_since = kUnset;
  }
  member.status = status;
  if (observer_ != nullptr) observer_->OnEvent(now, WorkerChangedEvent{index, status});
  UpdateCandidates();
}

void Cluster::StartWorker(int32_t index, SimTime now) {
  SetStatus(index, WorkerStatus::kServing, now);
  PlaceHomeless(now);
}

void Cluster::ApplyWorkerEvent(const WorkerEvent& event, SimTime now) {
  const auto start = [&](int32_t index) {
    SetStatus(index, WorkerStatus::kStarting, now);
    if (event.delay == 0) return StartWorker(index, now);
    queue_.Push({now + event.delay, EventKind::kWorkerStart, static_cast<uint32_t>(index)});
  };
  int32_t left = event.count;
  const int32_t end = event.first_worker + event.group_size;
  switch (event.action) {
    case WorkerAction::kFail: {
      const WorkerStatus status = members_[static_cast<size_t>(event.worker)].status;
      if (status == WorkerStatus::kFailed || status == WorkerStatus::kStopped) return;
      if (status == WorkerStatus::kStarting) {
        queue_.Erase(EventKind::kWorkerStart, static_cast<uint32_t>(event.worker));
      }
      SetStatus(event.worker, WorkerStatus::kFailed, now);
      if (workers_[static_cast<size_t>(event.worker)].Fail()) FailWorker(event.worker, now);
      return;
    }
    case WorkerAction::kRecover:
      if (members_[static_cast<size_t>(event.worker)].status == WorkerStatus::kFailed) {
        start(event.worker);
      }
      return;
    case WorkerAction::kScaleUp:
      for (int32_t i = event.first_worker; i < end && left > 0; ++i) {
        if (members_[static_cast<size_t>(i)].status != WorkerStatus::kStopped) continue;
        start(i);
        --left;
      }
      return;
    case WorkerAction::kScaleDown:
      for (int32_t i = end - 1; i >= event.first_worker && left > 0; --i) {
        if (members_[static_cast<size_t>(i)].status != WorkerStatus::kServing) continue;
        SetStatus(i, WorkerStatus::kDraining, now);
        if (workers_[static_cast<size_t>(i)].idle()) SetStatus(i, WorkerStatus::kStopped, now);
        --left;
      }
      return;
  }
}

// The worker stands still: its requests begin again elsewhere, their KV cache is lost.
void Cluster::FailWorker(int32_t index, SimTime now) {
  Worker& worker = workers_[static_cast<size_t>(index)];
  CleanUpMoves(index, now);
  for (const RequestHandle handle : worker.Evacuate(now)) {
    LiveRequest& r = slab_[handle];
    ++results_.redispatched;
    if (r.kv_source == KvSource::kPool) {
      AccountPool(now);
      pool_->Unpin(r.conversation);
      r.kv_source = KvSource::kNone;
    }
    if (r.move != kNoMove && moves_[r.move].lost) DropMove(r);
    if (r.kv_source != KvSource::kWorker) {
      Dispatch(handle, now, DispatchReason::kWorkerFailed);
      continue;
    }
    if (!r.awaits_decode) r.AwaitDecode(now);
    if (decode_candidates_.empty()) {
      PushHomeless(handle, now);
    } else {
      SendCache(handle, now, DispatchReason::kWorkerFailed);
    }
  }
}

// The KV cache waits where it was for a receiver. Where it was may be the only one that decodes:
// there it would need its blocks twice, so the request is computed again.
void Cluster::SendCache(RequestHandle handle, SimTime now, DispatchReason reason) {
  LiveRequest& r = slab_[handle];
  Move& move = moves_[r.move];
  const int32_t from = move.from;
  const int32_t target = ChooseTransferTarget(r, from);
  move.to = target;
  if (target == from) {
    workers_[static_cast<size_t>(from)].FreeOutgoing(move.holdings, now);
    WakeWorker(from, now);
    DropMove(r);
    r.EndDecodeWait(now);  // it begins again
  }
  SendTo(target, handle, now, reason);
}

// KV caches on their way from or to a worker that failed, first those that were sent on first.
void Cluster::CleanUpMoves(int32_t failed, SimTime now) {
  std::vector<uint32_t> affected;
  for (uint32_t i = 0; i < moves_.size(); ++i) {
    const Move& move = moves_[i];
    if (move.used && (move.from == failed || move.to == failed)) affected.push_back(i);
  }
  std::sort(affected.begin(), affected.end(),
            [this](uint32_t a, uint32_t b) { return moves_[a].order < moves_[b].order; });
  for (const uint32_t index : affected) CleanUpMove(index, failed, now);
}

void Cluster::CleanUpMove(uint32_t index, int32_t failed, SimTime now) {
  Move& move = moves_[index];
  const bool under_way = move.transfer != kNoTransfer;
  if (under_way) NetworkOf(move.kind).Cancel(now, move.transfer);
  move.transfer = kNoTransfer;
  if (move.kind != MoveKind::kKv) return FreeMove(index);
  if (move.from == failed) {
    move.lost = true;
    // One that waits finds out when it is to be loaded.
    if (!under_way) return;
  } else if (!move.layerwise || move.prefilled) {
    return;  // the cache is still at the sender, for another receiver
  }
  const RequestHandle handle = move.request;
  const bool runs_on = move.from != failed;
  workers_[static_cast<size_t>(move.to)].CancelLoad(handle, now);
  signals_.AddOutstanding(static_cast<size_t>(move.to), -1, -move.tokens);
  WakeWorker(move.to, now);
  DropMove(slab_[handle]);
  if (runs_on) return;
  ++results_.redispatched;
  Dispatch(handle, now, DispatchReason::kWorkerFailed);
}

void Cluster::DropMove(LiveRequest& r) {
  FreeMove(r.move);
  r.move = kNoMove;
  r.kv_source = KvSource::kNone;
}

void Cluster::PlaceHomeless(SimTime now) {
  const size_t waiting = homeless_.size();
  for (size_t i = 0; i < waiting; ++i) {
    const RequestHandle handle = PopHomeless(now);
    LiveRequest& r = slab_[handle];
    if (r.move != kNoMove && moves_[r.move].lost) DropMove(r);
    if (r.kv_source != KvSource::kWorker) {
      if (prefill_candidates_.empty()) {
        PushHomeless(handle, now);
      } else {
        SendTo(Choose(*dispatcher_, prefill_candidates_, r), handle, now,
               DispatchReason::kWorkerFailed);
      }
    } else if (decode_candidates_.empty()) {
      PushHomeless(handle, now);
    } else {
      SendCache(handle, now, DispatchReason::kPrefilled);
    }
  }
}

}  // namespace tokensim
