// The run of the reference simulator: see reference_simulation.h.
//
//   reference_simulation.cc   the loop, arrivals and ends
//   reference_routing.cc      which worker a request is sent to
//   reference_handing_on.cc   requests that go on elsewhere with their KV cache
//   reference_faults.cc       workers that fail, recover, start and stop
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "engine/policy/global/global_scheduler.h"
#include "engine/run/observer.h"
#include "engine/run/plan.h"
#include "tests/property/reference_moves.h"
#include "tests/property/reference_pool.h"
#include "tests/property/reference_request.h"
#include "tests/property/reference_simulation.h"
#include "tests/property/reference_worker.h"

namespace tokensim {

class ReferenceRun {
 public:
  explicit ReferenceRun(const Plan& plan);
  ReferenceResults Run();

 private:
  // How a worker is doing.
  struct Member {
    WorkerStatus status = WorkerStatus::kServing;
    SimTime starts = kNever;  // kStarting: until then
    SimTime since = kUnset;   // not available since; else kUnset
    SimTime unavailable = 0;  // before
  };

  ReferenceWorker& WorkerAt(int32_t i) { return workers_[static_cast<size_t>(i)]; }
  const ReferenceWorker& WorkerAt(int32_t i) const { return workers_[static_cast<size_t>(i)]; }
  const WorkerPlan& PlanOf(int32_t i) const { return plan_.workers[static_cast<size_t>(i)]; }
  Member& MemberAt(int32_t i) { return members_[static_cast<size_t>(i)]; }
  std::vector<int32_t> Prefillers() const { return Candidates(Role::kDecode); }
  std::vector<int32_t> Decoders() const { return Candidates(Role::kPrefill); }
  static int64_t Total(const ReferenceRequest& request) {
    return int64_t{request.record.input_tokens} + request.record.output_tokens;
  }

  // ---- The loop

  // Of a request at the global scheduler.
  SimTime NextArrival() const;
  SimTime NextWorkerEvent() const;
  SimTime NextStart() const;
  SimTime NextBoundary() const;
  // Of ranks in lock-step, the first one's is that of all: when the iteration of any ends, else
  // when the first of them has something to do.
  SimTime BoundaryOf(size_t i) const;
  // Nothing else can happen: who waits for more requests runs what is there.
  bool EndWaits(SimTime now);
  void Arrive(SimTime now);
  void Reject(ReferenceRequest* request, RejectReason reason, int32_t worker, SimTime now);
  void End(ReferenceRequest* request, SimTime now);
  void EndIteration(SimTime now);
  // The slowest rank and what is fetched last set the pace; those without a batch compute along.
  void EndLockstepIteration(int32_t first, SimTime now);
  void Handle(const ReferenceMessage& message, int32_t from, SimTime now);
  void RejectHomeless(SimTime now);
  ReferenceResults Finish();

  // ---- Routing

  // Serving workers that compute prompts, or that decode.
  std::vector<int32_t> Candidates(Role other) const;
  // To a worker that computes its prompt, as soon as there is one.
  void Dispatch(ReferenceRequest* request, SimTime now);
  // What the policies may know, counted anew.
  WorkerSignals Signals() const;
  int32_t Choose(GlobalScheduler& scheduler, const std::vector<int32_t>& candidates,
                 const ReferenceRequest& request);
  // As far as there are any: among the others, among those that can hold the request if the
  // decoders differ, among those beside the sender with room if they go first.
  int32_t ChooseDecoder(const ReferenceRequest& request, int32_t from);
  // KV caches that the workers which decode can hold, whether they serve or not.
  std::vector<int64_t> DecoderTokens() const;
  void SendTo(int32_t to, ReferenceRequest* request, SimTime now);
  // Whole blocks of the turns before; the last token is computed in any case.
  void LookUpPool(ReferenceRequest* request, int64_t block_size);
  // Of the decoders with a free place, room for the KV cache and for as much again, and nobody
  // waiting, the one with the most blocks left.
  int32_t MigrationTarget(int32_t from, const ReferenceRequest& request);

  // ---- Requests that go on elsewhere

  // A request goes on elsewhere, `to` or where it is sent to decode. Its worker keeps the blocks
  // until the KV cache has arrived there.
  void HandOn(int32_t from, ReferenceRequest* request, int32_t to, SimTime now);
  // The last iteration of a prompt begins: a decoder with room keeps blocks, and each layer is sent
  // when it is computed.
  void SendLayers(int32_t from, ReferenceRequest* request, int64_t tokens, SimTime now);
  // The prompt is computed, its layers were sent before.
  void FollowLayers(ReferenceRequest* request, SimTime now);
  void Load(int32_t worker, ReferenceRequest* request, SimTime now);
  // A KV cache has arrived.
  void EndMove(ReferenceMove* move, SimTime now);
  // The sender needs not keep the blocks any longer.
  void GiveBack(ReferenceMove* move, SimTime now);
  void DropMove(ReferenceRequest* request);

  // ---- Workers that fail, recover, start and stop

  void SetStatus(int32_t i, WorkerStatus status, SimTime now);
  void Apply(const WorkerEvent& event, SimTime now);
  // The first that can start, the last that can stop.
  void Scale(const WorkerEvent& event, SimTime now);
  void Start(int32_t i, SimTime delay, SimTime now);
  void StartFirst(SimTime now);
  void Serve(int32_t i, SimTime now);
  // A request without a worker: with its KV cache, or from the beginning.
  void GoOn(ReferenceRequest* request, SimTime now);
  // A worker has stopped: what it had is lost.
  void Evacuate(int32_t failed, SimTime now);
  void LoseMove(ReferenceMove* move, int32_t failed, SimTime now);

  const Plan& plan_;
  std::unique_ptr<RequestSource> source_;
  std::deque<ReferenceRequest> requests_;
  std::deque<ReferenceWorker> workers_;
  std::unique_ptr<GlobalScheduler> dispatcher_;
  std::unique_ptr<GlobalScheduler> transfer_scheduler_;
  ReferenceMoves moves_;
  std::vector<Member> members_;
  std::vector<ReferenceRequest*> homeless_;  // wait for a worker
  int64_t live_ = 0;
  size_t next_event_ = 0;  // of the plan's
  std::optional<ReferencePool> pool_;
  SimTime next_signals_ = kNever;
  WorkerSignals stale_signals_;
  ReferenceResults results_;
};

}  // namespace tokensim
