// The boundaries of the workers: when an iteration ends and the next may begin.
//
// A worker has at most one boundary in the queue, and while it is idle none, or one at the time until
// which its scheduler waits for more requests. Ranks in lock-step have one together, under the index
// of the first of them.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "engine/cluster/event_queue.h"
#include "engine/worker/worker.h"

namespace tokensim {

class Boundaries {
 public:
  // `workers` may still grow until the first call. Both outlive this.
  Boundaries(std::deque<Worker>* workers, EventQueue* queue) : workers_(*workers), queue_(*queue) {}

  // An idle worker has something to do: its next boundary is now, or, of a rank in lock-step, when
  // the iteration of the others ends.
  void Push(int32_t worker, SimTime now);
  // Something happened that may let an idle worker run.
  void Wake(int32_t worker, SimTime now) {
    if (At(worker).Wake()) Push(worker, now);
  }

  // A worker that waits for more requests runs what it has. False: it does not wait.
  bool Hurry(int32_t worker, SimTime now);
  // A worker stopped: it waits no longer.
  void Cancel(int32_t worker);

  // Handles the boundary that is on top of the queue, of a worker, which then runs alone as
  // Worker::Run says, or of the ranks in lock-step of which `worker` is the first. Returns how many
  // iterations ended.
  int64_t Run(int32_t worker, SimTime now, SimTime horizon, int64_t limit);

 private:
  [[nodiscard]] Worker& At(int32_t worker) { return workers_[static_cast<size_t>(worker)]; }
  int64_t RunLockstep(int32_t first, SimTime now);
  // Begins the iteration of the ranks `first` to `end`, of which some have a batch. Returns its end.
  SimTime LaunchLockstep(int32_t first, int32_t end, int64_t gathered_tokens, SimTime now);

  std::deque<Worker>& workers_;
  EventQueue& queue_;
  std::vector<bool> lockstep_running_;  // by the index of the first rank
  std::vector<bool> has_batch_;         // of the ranks that run now
};

}  // namespace tokensim
