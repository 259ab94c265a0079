// KV caches that move: from prefill to decode workers, between decode workers, out of the memory
// pool, to and from host memory.
//
// A cache between two workers has a move from when it leaves its request's worker, or, layer by
// layer, while that still computes it:
//
//            Keep ──▶ waiting ──Load──▶ under way ──▶ arrived: the sender's blocks are free
//      BeginAhead ──▶ ahead ──Leave──▶ under way
//                     ahead ──arrives──▶ arrived early ──Leave──▶ arrived
//   the sender fails: waiting ──▶ lost;  what is under way ends, and the request begins again
//
// The sender keeps its blocks until the cache has arrived; the receiver has taken its own before
// the cache begins to move.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "engine/cluster/boundaries.h"
#include "engine/cluster/pool_tier.h"
#include "engine/network/network.h"
#include "engine/run/observer.h"
#include "engine/run/plan.h"
#include "engine/run/results.h"
#include "engine/worker/worker.h"

namespace tokensim {

class KvMover {
 public:
  // All outlive the mover. `pool` and `observer` may be null.
  KvMover(const Plan& plan, RequestSlab* slab, std::deque<Worker>* workers, Boundaries* boundaries,
          PoolTier* pool, Observer* observer);

  // When a transfer changes next; kNever: none is under way.
  [[nodiscard]] SimTime next_event() const {
    return std::min(network_.NextEvent(), host_network_.NextEvent());
  }
  void Advance(SimTime now);

  // The request leaves `from`, where its KV cache stays until a receiver loads it.
  void Keep(RequestHandle handle, int32_t from);
  // The cache shall go to `to`.
  void Address(const LiveRequest& r, int32_t to) { moves_[r.move].to = to; }
  [[nodiscard]] int32_t sender(const LiveRequest& r) const { return moves_[r.move].from; }
  // Begins to send the cache of `tokens` that an iteration of `from` computes, layer by layer. False
  // if `to` has no room: nothing happens.
  [[nodiscard]] bool BeginAhead(RequestHandle handle, int32_t from, int32_t to, int32_t tokens,
                                SimTime now);
  // That iteration is over: the request goes where its cache went.
  void Leave(RequestHandle handle, DispatchReason reason, SimTime now);
  // The worker has blocks for the request's cache: it moves there, from where kv_source says.
  void Load(int32_t worker, RequestHandle handle, SimTime now);
  // So many blocks leave for host memory beside the iterations.
  void SwapOut(int32_t worker, int64_t blocks, SimTime now);

  // The request has a cache that its sender has lost.
  [[nodiscard]] bool lost(const LiveRequest& r) const {
    return r.move != kNoMove && moves_[r.move].state == MoveState::kLost;
  }
  // The request goes on without its cache.
  void Drop(LiveRequest* r);
  // The same, and the sender, unless it failed, gets its blocks back.
  void GiveUp(LiveRequest* r, SimTime now);

  // The moves from or to a worker, first those that were made first.
  [[nodiscard]] std::vector<uint32_t> MovesOf(int32_t worker) const;
  // A request whose cache comes no more to the worker that had blocks for it.
  struct CutOffRequest {
    RequestHandle request = kNoRequest;
    int32_t to = -1;
    int32_t tokens = 0;
    bool restarts = false;  // else it still runs at the sender
  };
  // What becomes of one of these moves when the worker fails. The result: its request, if that is
  // torn from its receiver.
  std::optional<CutOffRequest> CutOff(uint32_t move, int32_t failed, SimTime now);

  // Adds the links that carried something.
  void Conclude(SimTime end, std::vector<LinkSummary>* links) const;

 private:
  enum class MoveKind : uint8_t { kKv, kPoolFetch, kSwapIn, kSwapOut };
  enum class MoveState : uint8_t {
    kFree,          // no move
    kWaiting,       // at the sender, for a receiver
    kAhead,         // under way, while the request still runs at the sender
    kArrivedEarly,  // the same, arrived
    kUnderWay,      // the request has left
    kLost,          // the sender failed
  };

  struct Move {
    MoveKind kind = MoveKind::kKv;
    MoveState state = MoveState::kFree;
    RequestHandle request = kNoRequest;
    int32_t from = -1;
    int32_t to = -1;
    int32_t tokens = 0;
    Holdings holdings;  // of the sender
    int64_t order = 0;  // in which the moves were made
    SimTime start = kUnset;
    TransferId transfer = kNoTransfer;
  };

  [[nodiscard]] Worker& At(int32_t worker) { return workers_[static_cast<size_t>(worker)]; }
  [[nodiscard]] Network& NetworkOf(MoveKind kind) {
    return kind == MoveKind::kSwapIn || kind == MoveKind::kSwapOut ? host_network_ : network_;
  }
  uint32_t NewMove(MoveKind kind, MoveState state, RequestHandle handle, int32_t from, int32_t to,
                   int32_t tokens);
  void FreeMove(uint32_t index);
  void StartKv(uint32_t index, SimTime first_layer, SimTime last_layer, SimTime now);
  void StartLoad(uint32_t index, const TransferSpec& spec, SimTime now);
  void FinishMove(uint32_t index, SimTime now);
  void FinishKv(uint32_t index, SimTime now);
  void FinishLoad(uint32_t index, SimTime now);
  void AddLinks(const Network& network, SimTime end, std::vector<LinkSummary>* links) const;

  const Plan& plan_;
  RequestSlab& slab_;
  std::deque<Worker>& workers_;
  Boundaries& boundaries_;
  PoolTier* const pool_;
  Observer* const observer_;
  Network network_;
  // Swaps wait for each other, so that none is read before it is written.
  Network host_network_;
  std::vector<LinkId> host_links_;   // by worker; -1: none
  std::optional<LinkId> pool_link_;  // of fetches beside the iterations
  std::vector<Move> moves_;
  std::vector<uint32_t> free_moves_;
  int64_t moves_made_ = 0;
  std::vector<CompletedTransfer> completed_;
};

}  // namespace tokensim
