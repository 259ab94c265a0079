// Requests of the reference simulator that go on elsewhere, with their KV cache or without.
#include <algorithm>
#include <utility>

#include "tests/property/reference_run.h"

namespace tokensim {

void ReferenceRun::HandOn(int32_t from, ReferenceRequest* request, int32_t to, SimTime now) {
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

void ReferenceRun::SendLayers(int32_t from, ReferenceRequest* request, int64_t tokens,
                              SimTime now) {
  if (Decoders().empty()) return;
  const int32_t to = ChooseDecoder(*request, from);
  if (WorkerAt(to).CheckFits(tokens, Total(*request)) != RejectReason::kNone) return;
  if (!WorkerAt(to).ReserveLoad(request, tokens)) return;
  request->move =
      moves_.Add({.request = request, .from = from, .to = to, .tokens = tokens, .reserved = true});
  const SimTime begin = WorkerAt(from).compute_begin();
  const SimTime end = WorkerAt(from).boundary();
  moves_.StartKv(request->move, begin + (end - begin) / PlanOf(from).num_layers, end, now);
}

void ReferenceRun::FollowLayers(ReferenceRequest* request, SimTime now) {
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

void ReferenceRun::Load(int32_t worker, ReferenceRequest* request, SimTime now) {
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
  const int32_t block_size = WorkerAt(worker).plan().block_size;
  moves_.StartFetch(moves_.Add(move), (request->stored + block_size - 1) / block_size, now);
}

void ReferenceRun::EndMove(ReferenceMove* move, SimTime now) {
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

void ReferenceRun::GiveBack(ReferenceMove* move, SimTime now) {
  WorkerAt(move->from).FreeOutgoing(&move->holdings);
  WorkerAt(move->from).Wake(now);
}

void ReferenceRun::DropMove(ReferenceRequest* request) {
  moves_.Remove(request->move);
  request->move = nullptr;
  request->home = CacheHome::kNowhere;
}

}  // namespace tokensim
