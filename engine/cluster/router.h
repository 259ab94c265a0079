// Where requests go: the global schedulers of a cluster and what they see.
//
//   const int32_t worker = router.ChooseFirst(request);        // it arrived: who computes its prompt
//   const int32_t next = router.ChooseNext(request, worker);   // it is prefilled: who decodes it
//
// Policies see the signals that workers publish, as they are or as old as the plan says. Requests
// that nobody can take now wait here, homeless, until a worker comes.
//
// A router looks at workers, and changes none.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "engine/cluster/fleet.h"
#include "engine/policy/global/global_scheduler.h"
#include "engine/run/plan.h"
#include "engine/run/worker_signals.h"
#include "engine/worker/worker.h"

namespace tokensim {

// Requests that wait for a worker to serve, and how long all of them did.
class HomelessQueue {
 public:
  void Push(RequestHandle handle, SimTime now);
  // The one that waits longest.
  RequestHandle Pop(SimTime now);
  [[nodiscard]] size_t size() const { return queue_.size(); }
  // Requests times nanoseconds.
  [[nodiscard]] __int128 Integral(SimTime now) const;

 private:
  std::deque<RequestHandle> queue_;
  __int128 integral_ = 0;  // until accounted_
  SimTime accounted_ = 0;
};

class Router final : public MigrationPlanner {
 public:
  // All outlive the router. `workers` may still grow until the first choice.
  Router(const Plan& plan, const RequestSlab& slab, const std::deque<Worker>& workers);

  // What policies see, as it is now. Workers publish here.
  [[nodiscard]] WorkerSignals& signals() { return signals_; }
  [[nodiscard]] const WorkerSignals& signals() const { return signals_; }
  // Policies see the workers as they are now, until the next call.
  void RefreshSignals() {
    ++signals_.refreshes;
    stale_signals_ = signals_;
  }
  // Requests go to the workers that serve now.
  void UpdateCandidates(const Fleet& fleet);
  [[nodiscard]] bool can_prefill() const { return !prefill_candidates_.empty(); }
  [[nodiscard]] bool can_decode() const { return !decode_candidates_.empty(); }

  // The worker for a request that has its prompt, or all it had, to compute. can_prefill().
  [[nodiscard]] int32_t ChooseFirst(const LiveRequest& r);
  // The worker to go on with the KV cache that `from` has. can_decode().
  [[nodiscard]] int32_t ChooseNext(const LiveRequest& r, int32_t from);
  // The worker with most room for a request that `from` has no room for; -1: none.
  int32_t FindTarget(int32_t from, RequestHandle request) override;
  // kNone when the worker, and one that decodes, can serve the request alone.
  [[nodiscard]] RejectReason Check(const LiveRequest& r, int32_t worker) const;

  [[nodiscard]] bool wants_finishes() const { return !finish_listeners_.empty(); }
  // Tells policies that want it of a request that got its last token.
  void OnFinish(const LiveRequest& r);

  [[nodiscard]] HomelessQueue& homeless() { return homeless_; }
  [[nodiscard]] const HomelessQueue& homeless() const { return homeless_; }

 private:
  [[nodiscard]] const Worker& At(int32_t worker) const {
    return workers_[static_cast<size_t>(worker)];
  }
  [[nodiscard]] int32_t Choose(GlobalScheduler& scheduler, std::span<const int32_t> candidates,
                               const LiveRequest& r);

  const Plan& plan_;
  const RequestSlab& slab_;
  const std::deque<Worker>& workers_;
  WorkerSignals signals_;
  WorkerSignals stale_signals_;
  std::unique_ptr<GlobalScheduler> dispatcher_;
  std::unique_ptr<GlobalScheduler> transfer_scheduler_;
  std::vector<GlobalScheduler*> finish_listeners_;  // of these two
  std::vector<int32_t> prefill_candidates_;
  std::vector<int32_t> decode_candidates_;
  // Of the decode candidates, for one choice.
  std::vector<int32_t> other_candidates_;
  std::vector<int32_t> fitting_candidates_;
  std::vector<int32_t> node_candidates_;
  bool decoders_differ_ = false;       // in what they can hold
  int64_t largest_decode_tokens_ = 0;  // KV cache of the largest worker that decodes
  bool any_prefix_cache_ = false;
  HomelessQueue homeless_;
};

}  // namespace tokensim
