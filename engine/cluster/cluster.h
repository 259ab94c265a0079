// The workers of a run and what passes between them: dispatch, KV caches that move, the memory
// pool, failures and scaling.
//
//   arrival ──▶ dispatch ──▶ worker ──▶ finished
//                              │ prefilled, migrates           KV cache:  sender keeps its blocks
//                              ▼                                          until it has arrived
//                         transfer target ──▶ waits there, gets blocks, loads, decodes
//
// A request that changes workers waits in the queue of the new one; when that has blocks for its KV
// cache, the cache moves over the network. With layer-wise transfers the new worker reserves the
// blocks when the prefill's last iteration begins, if it has room, and each layer moves as soon as
// it is computed.
//
// Requests nobody can take wait for a worker to come; those left at the end are rejected.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/cluster/event_queue.h"
#include "engine/memory/memory_pool.h"
#include "engine/network/network.h"
#include "engine/policy/global/global_scheduler.h"
#include "engine/run/observer.h"
#include "engine/run/plan.h"
#include "engine/run/results.h"
#include "engine/run/worker_signals.h"
#include "engine/worker/worker.h"
#include "engine/workload/workload.h"

namespace tokensim {

class Cluster final : public MigrationPlanner, public PoolReader {
 public:
  // All outlive the cluster. `sink` takes the records of requests that end; it may be null.
  // `source` is told of ends when it is reactive; it may be null until the first arrival.
  Cluster(const Plan& plan, Observer* observer, EventQueue* queue, Results* results,
          RecordSink* sink);

  void SetSource(RequestSource* source) { source_ = source; }
  // A request reaches the global scheduler: it is dispatched, or rejected.
  void Arrive(const RequestInput& input, int64_t id, SimTime now);

  // The boundary of a worker, which then runs alone as Worker::Run says; or of ranks in lock-step,
  // the first of which is `worker`. Returns how many iterations ended.
  int64_t RunWorker(int32_t worker, SimTime now, SimTime horizon, int64_t limit);

  [[nodiscard]] SimTime next_transfer() const {
    return std::min(network_.NextEvent(), host_network_.NextEvent());
  }
  void AdvanceTransfers(SimTime now);

  void ApplyWorkerEvent(const WorkerEvent& event, SimTime now);
  // A worker that was to start serves.
  void StartWorker(int32_t worker, SimTime now);
  // Policies see the workers as they are now, until the next call.
  void RefreshSignals() {
    ++signals_.refreshes;
    stale_signals_ = signals_;
  }

  // The run is over: requests that wait for a worker are rejected; fills in the results.
  void RejectHomeless(SimTime now);
  void Conclude(SimTime end);

  [[nodiscard]] const Worker& worker(size_t i) const { return workers_[i]; }
  [[nodiscard]] size_t size() const { return workers_.size(); }
  [[nodiscard]] WorkerStatus status(size_t i) const { return members_[i].status; }
  // What the policies see, as it is now.
  [[nodiscard]] const WorkerSignals& signals() const { return signals_; }
  [[nodiscard]] int64_t live() const { return slab_.live(); }
  // Finished or rejected.
  [[nodiscard]] int64_t ended() const { return ended_.count(); }
  [[nodiscard]] int64_t rejected() const { return rejected_; }
  // Requests that wait for a worker.
  [[nodiscard]] int64_t homeless() const { return static_cast<int64_t>(homeless_.size()); }
  [[nodiscard]] std::span<const WorkerSnapshot> Snapshot();
  [[nodiscard]] int64_t pool_bytes() const { return pool_ ? pool_->used_bytes() : 0; }

  int32_t FindTarget(int32_t worker, RequestHandle request) override;
  SimTime FetchFromPool(int32_t worker, int32_t tokens, SimTime now) override;

 private:
  enum class MoveKind : uint8_t { kKv, kPoolFetch, kSwapIn, kSwapOut };

  // A KV cache on its way, or waiting to be loaded where it shall go.
  struct Move {
    MoveKind kind = MoveKind::kKv;
    bool used = false;
    bool lost = false;       // the sender failed
    bool layerwise = false;  // began with the prefill's last iteration
    bool prefilled = false;  // layerwise: the request has left the sender
    bool arrived = false;    // layerwise: before the request had left
    RequestHandle request = kNoRequest;
    int32_t from = -1;
    int32_t to = -1;
    int32_t tokens = 0;
    Holdings holdings;  // of the sender
    int64_t order = 0;  // in which the moves were made
    SimTime start = kUnset;
    TransferId transfer = kNoTransfer;
  };

  // The link of a memory pool that iterations wait for: one transfer after the other.
  struct PoolLink {
    SimTime free = 0;        // when it has carried what it has to
    SimTime busy_until = 0;  // when the last of its transfers is there
    SimTime busy = 0;
    int64_t transfers = 0;  // that ended
    int64_t bytes = 0;
  };

  struct Member {
    WorkerStatus status = WorkerStatus::kServing;
    SimTime unavailable_since = kUnset;
  };

  RequestHandle Admit(const RequestInput& input, int64_t id);
  // Sends a request to a worker that can go on with it.
  void Dispatch(RequestHandle handle, SimTime now, std::optional<DispatchReason> reason);
  void SendTo(int32_t worker, RequestHandle handle, SimTime now,
              std::optional<DispatchReason> reason);
  [[nodiscard]] int32_t Choose(GlobalScheduler& scheduler, std::span<const int32_t> candidates,
                               const LiveRequest& r);
  [[nodiscard]] int32_t ChooseTransferTarget(const LiveRequest& r, int32_t from);
  void LookUpPool(LiveRequest& r, int32_t block_size);
  void Reject(RequestHandle handle, RejectReason reason, int32_t worker, SimTime now);
  void EndRequest(RequestHandle handle, bool finished, SimTime now);
  void TellRouters(const LiveRequest& r);

  void HandleMessages(int32_t worker, SimTime now);
  void HandOn(int32_t from, RequestHandle handle, int32_t target, DispatchReason reason,
              SimTime now);
  void BeginLayerwise(int32_t from, RequestHandle handle, int32_t tokens, SimTime now);
  void BeginLoad(int32_t worker, RequestHandle handle, SimTime now);
  void BeginSwapOut(int32_t worker, const WorkerMessage& message, SimTime now);
  uint32_t NewMove(MoveKind kind, RequestHandle handle, int32_t from, int32_t to, int32_t tokens);
  void StartKv(uint32_t index, SimTime first_layer, SimTime last_layer, SimTime now);
  void FinishMove(uint32_t index, SimTime now);
  void FinishKv(uint32_t index, SimTime now);
  [[nodiscard]] Network& NetworkOf(MoveKind kind) {
    return kind == MoveKind::kSwapIn || kind == MoveKind::kSwapOut ? host_network_ : network_;
  }
  void EndFetch(int32_t worker, RequestHandle handle, int32_t tokens, SimTime now);
  // Adds what the pool holds up to `now` to its timeline; before every change of it, and last.
  void AccountPool(SimTime now);
  // The request waits for a worker to serve.
  void PushHomeless(RequestHandle handle, SimTime now);
  RequestHandle PopHomeless(SimTime now);
  void AccountHomeless(SimTime now);
  void AddPoolLinkSummary(SimTime end);
  void AddLinkSummaries(const Network& network, SimTime end);
  void FreeMove(uint32_t index);
  // Its KV cache is lost.
  void DropMove(LiveRequest& r);
  void WakeWorker(int32_t worker, SimTime now);
  // An idle worker has something to do: its next boundary is now, or, of a rank in lock-step, when
  // the iteration of the others ends.
  void PushBoundary(int32_t worker, SimTime now);
  int64_t RunLockstep(int32_t first, SimTime now);

  void FailWorker(int32_t worker, SimTime now);
  void SendCache(RequestHandle handle, SimTime now, DispatchReason reason);
  void CleanUpMoves(int32_t failed, SimTime now);
  void CleanUpMove(uint32_t index, int32_t failed, SimTime now);
  void SetStatus(int32_t worker, WorkerStatus status, SimTime now);
  void UpdateCandidates();
  void PlaceHomeless(SimTime now);

  const Plan& plan_;
  Observer* const observer_;
  EventQueue& queue_;
  Results& results_;
  EndedRequests ended_;
  RequestSource* source_ = nullptr;
  RequestSlab slab_;
  WorkerSignals signals_;
  WorkerSignals stale_signals_;
  std::deque<Worker> workers_;  // a deque: workers do not move
  std::vector<Member> members_;
  std::vector<bool> lockstep_running_;  // by the index of the first rank
  std::vector<bool> lockstep_has_batch_;
  std::unique_ptr<GlobalScheduler> dispatcher_;
  std::unique_ptr<GlobalScheduler> transfer_scheduler_;
  std::vector<GlobalScheduler*> finish_listeners_;  // of these two
  std::vector<int32_t> prefill_candidates_;
  std::vector<int32_t> decode_candidates_;
  std::vector<int32_t> node_candidates_;
  std::vector<int32_t> fitting_candidates_;
  std::vector<int32_t> other_candidates_;
  bool decoders_differ_ = false;       // in what they can hold
  int64_t largest_decode_tokens_ = 0;  // KV cache of the largest worker that decodes
  bool any_prefix_cache_ = false;
  Network network_;
  // Swaps wait for each other, so that none is read before it is written.
  Network host_network_;
  std::vector<LinkId> host_links_;  // by worker; -1: none
  std::optional<LinkId> pool_link_;
  std::optional<MemoryPool> pool_;
  std::optional<Timeline> pool_timeline_;
  SimTime pool_accounted_ = 0;
  PoolLink blocking_link_;
  SimTime homeless_accounted_ = 0;
  std::vector<Move> moves_;
  std::vector<uint32_t> free_moves_;
  int64_t moves_made_ = 0;
  std::vector<CompletedTransfer> completed_;
  std::vector<WorkerMessage> inbox_;
  std::deque<RequestHandle> homeless_;
  int64_t rejected_ = 0;
  std::vector<WorkerSnapshot> snapshot_;
};

}  // namespace tokensim
