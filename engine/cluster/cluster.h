// The workers of a run and what passes between them.
//
//   arrival ──▶ Router ──▶ worker ──▶ finished
//                            │ prefilled, migrates      KvMover:  the sender keeps its blocks until
//                            ▼                                    the KV cache has arrived
//                     Router ──▶ worker: waits there, gets blocks, loads, decodes
//
// A cluster conducts: it takes the messages of workers and the events of the plan, and lets others
// decide and do. Router decides where requests go, KvMover moves KV caches, PoolTier keeps those of
// conversations, Fleet knows which workers serve, Boundaries lets workers run.
//
// A request that changes workers waits in the queue of the new one; when that has blocks for its KV
// cache, the cache moves over the network. With layer-wise transfers the new worker reserves the
// blocks when the prefill's last iteration begins, if it has room, and each layer moves as soon as
// it is computed.
//
// Requests nobody can take wait for a worker to come; those left at the end are rejected.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/cluster/boundaries.h"
#include "engine/cluster/event_queue.h"
#include "engine/cluster/fleet.h"
#include "engine/cluster/kv_mover.h"
#include "engine/cluster/pool_tier.h"
#include "engine/cluster/router.h"
#include "engine/run/observer.h"
#include "engine/run/plan.h"
#include "engine/run/results.h"
#include "engine/run/worker_signals.h"
#include "engine/worker/worker.h"
#include "engine/workload/workload.h"

namespace tokensim {

class Cluster final {
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

  [[nodiscard]] SimTime next_transfer() const { return mover_.next_event(); }
  void AdvanceTransfers(SimTime now) { mover_.Advance(now); }

  void ApplyWorkerEvent(const WorkerEvent& event, SimTime now);
  // A worker that was to start serves.
  void StartWorker(int32_t worker, SimTime now);
  // Policies see the workers as they are now, until the next call.
  void RefreshSignals() { router_.RefreshSignals(); }

  // Nothing else can happen: workers that wait for more requests run what they have. False: there
  // are none.
  bool EndWaits(SimTime now);
  // The run is over: requests that wait for a worker are rejected; fills in the results.
  void RejectHomeless(SimTime now);
  void Conclude(SimTime end);

  [[nodiscard]] const Worker& worker(size_t i) const { return workers_[i]; }
  [[nodiscard]] size_t size() const { return workers_.size(); }
  [[nodiscard]] WorkerStatus status(size_t i) const {
    return fleet_.status(static_cast<int32_t>(i));
  }
  // What the policies see, as it is now.
  [[nodiscard]] const WorkerSignals& signals() const { return router_.signals(); }
  [[nodiscard]] int64_t live() const { return slab_.live(); }
  // Finished or rejected.
  [[nodiscard]] int64_t ended() const { return ended_.count(); }
  [[nodiscard]] int64_t rejected() const { return rejected_; }
  // Requests that wait for a worker.
  [[nodiscard]] int64_t homeless() const { return static_cast<int64_t>(router_.homeless().size()); }
  [[nodiscard]] std::span<const WorkerSnapshot> Snapshot();
  [[nodiscard]] int64_t pool_bytes() const { return pool_ ? pool_->used_bytes() : 0; }

 private:
  [[nodiscard]] Worker& At(int32_t worker) { return workers_[static_cast<size_t>(worker)]; }
  void AddWorkers();

  // Sends a request to a worker that can go on with it. Without a `reason` it arrives.
  void Dispatch(RequestHandle handle, SimTime now, std::optional<DispatchReason> reason);
  void SendTo(int32_t worker, RequestHandle handle, SimTime now,
              std::optional<DispatchReason> reason);
  // To where its KV cache, which waits at a worker, can be loaded.
  void SendCache(RequestHandle handle, SimTime now, DispatchReason reason);
  // It lost its worker or its KV cache and begins again.
  void Restart(RequestHandle handle, SimTime now);
  void Reject(RequestHandle handle, RejectReason reason, int32_t worker, SimTime now);
  void EndRequest(RequestHandle handle, bool finished, SimTime now);

  void HandleMessages(int32_t worker, SimTime now);
  void HandleMessage(int32_t worker, const WorkerMessage& message, SimTime now);
  // A request leaves `from` with its KV cache. `target` -1: the router chooses.
  void HandOn(int32_t from, RequestHandle handle, int32_t target, DispatchReason reason,
              SimTime now);
  void SendAhead(int32_t from, RequestHandle handle, int32_t tokens, SimTime now);
  void Load(int32_t worker, RequestHandle handle, SimTime now);

  void SetStatus(int32_t worker, WorkerStatus status, SimTime now);
  void BeginStart(int32_t worker, SimTime delay, SimTime now);
  void BeginFailure(int32_t worker, SimTime now);
  void EvacuateWorker(int32_t worker, SimTime now);
  void PlaceHomeless(SimTime now);

  const Plan& plan_;
  Observer* const observer_;
  EventQueue& queue_;
  Results& results_;
  EndedRequests ended_;
  RequestSource* source_ = nullptr;
  RequestSlab slab_;
  std::deque<Worker> workers_;  // a deque: workers do not move
  Fleet fleet_;
  Router router_;
  Boundaries boundaries_;
  const std::unique_ptr<PoolTier> pool_;  // null: none
  KvMover mover_;
  std::vector<WorkerMessage> inbox_;
  int64_t rejected_ = 0;
  std::vector<WorkerSnapshot> snapshot_;
};

}  // namespace tokensim
