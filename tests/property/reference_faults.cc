// Workers of the reference simulator that fail, recover, start and stop.
#include <algorithm>
#include <utility>

#include "tests/property/reference_run.h"

namespace tokensim {

void ReferenceRun::SetStatus(int32_t i, WorkerStatus status, SimTime now) {
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

void ReferenceRun::Apply(const WorkerEvent& event, SimTime now) {
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

void ReferenceRun::Scale(const WorkerEvent& event, SimTime now) {
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

void ReferenceRun::Start(int32_t i, SimTime delay, SimTime now) {
  SetStatus(i, WorkerStatus::kStarting, now);
  MemberAt(i).starts = now + delay;
  if (delay == 0) Serve(i, now);
}

void ReferenceRun::StartFirst(SimTime now) {
  for (int32_t i = 0; i < static_cast<int32_t>(workers_.size()); ++i) {
    if (MemberAt(i).starts == now) return Serve(i, now);
  }
}

void ReferenceRun::Serve(int32_t i, SimTime now) {
  SetStatus(i, WorkerStatus::kServing, now);
  for (ReferenceRequest* request : std::exchange(homeless_, {})) {
    if (request->move != nullptr && request->move->lost) DropMove(request);
    GoOn(request, now);
  }
}

void ReferenceRun::GoOn(ReferenceRequest* request, SimTime now) {
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

void ReferenceRun::Evacuate(int32_t failed, SimTime now) {
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

void ReferenceRun::LoseMove(ReferenceMove* move, int32_t failed, SimTime now) {
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

}  // namespace tokensim
