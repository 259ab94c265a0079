// Runs accepted simulations on a fixed number of threads.
//
// Runs take turns of a slice of engine events each, so a short one never waits for the end of a
// long one while fewer than `max_running` are under way; the others wait in a queue. Between two
// slices a run can be cancelled or stopped, and its progress is published. Every change of state is
// one transaction of the store, guarded by the uid, so a simulation that was deleted (and its name
// taken again) is never touched by an old run.
//
// Thread-safe. Only the runner's own threads call the engine.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "engine/cluster/simulation.h"
#include "server/session/fair_queue.h"
#include "server/session/plan_cache.h"
#include "server/session/session_metrics.h"
#include "server/session/watchers.h"
#include "server/store/store.h"

namespace tokensim {

struct RunnerOptions {
  int threads = 1;
  int64_t max_running = 16;  // simulations that take turns on the threads
  int64_t max_queued = 1'000;
  int64_t slice_events = 20'000;                     // a few milliseconds
  std::chrono::milliseconds progress_interval{100};  // at least, between notifications of a watcher
  std::chrono::milliseconds store_retry{1'000};      // when the store's disk is full or away
};

class Runner {
 public:
  // All references outlive the runner.
  Runner(RunnerOptions options, Store& store, PlanCache& plans, Watchers& watchers,
         const Clock& clock, SessionMetrics& metrics);
  ~Runner();  // Stop()
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // A place in the queue, taken before a simulation is stored so that none is stored in vain. It
  // counts as taken until it is destroyed or used.
  class Place {
   public:
    Place() = default;  // none: for what is queued whether there is room or not
    Place(Place&& other) noexcept : runner_(std::exchange(other.runner_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place();

   private:
    friend class Runner;
    explicit Place(Runner* runner) : runner_(runner) {}
    Runner* runner_ = nullptr;
  };
  // nullopt when the queue is full.
  [[nodiscard]] std::optional<Place> Reserve();
  // The simulation is in the store, PENDING.
  void Enqueue(Place place, const SimulationName& name, const std::string& uid);

  // Forgets a waiting simulation, or ends a running one at its next slice.
  void Cancel(const SimulationName& name, const std::string& uid);
  [[nodiscard]] std::optional<v1::Progress> progress(const std::string& uid) const;

  [[nodiscard]] int64_t queued() const;
  [[nodiscard]] int64_t running() const;

  // Running simulations stop at their next slice and become PENDING again; waiting ones stay so.
  // Idempotent.
  void Stop();

 private:
  struct Run {
    FairQueue::Entry entry;
    // It could not even be listed among the runs; it fails.
    bool out_of_memory = false;
    std::atomic<bool> cancelled = false;
    v1::Progress progress;  // guarded by mutex_
    // The rest belongs to the thread whose turn it is.
    std::shared_ptr<const Plan> plan;
    std::unique_ptr<Simulation> simulation;
    SteadyTime begun{};
    SteadyTime last_notified{};
    std::chrono::nanoseconds computed{};  // in all turns but this one
  };
  // How a run ended.
  struct Outcome {
    SimulationState state = v1::Simulation::PENDING;
    google::rpc::Status error;
    std::shared_ptr<const v1::Report> report;
  };

  void Serve();
  // The run whose turn it is or, every other time, one more from the queue; null ends the thread.
  std::shared_ptr<Run> Next();
  // Begin or Turn, and what follows from it; false when the run ended.
  bool Work(const std::shared_ptr<Run>& run);
  // The run failed with what was thrown; its engine goes first, so that there is memory to say so.
  void Abandon(Run& run, const absl::Status& error);
  // Claims and compiles; false when there is nothing to run.
  bool Begin(Run& run);
  // One slice; false when the run ended.
  bool Turn(Run& run);
  // As Store::Update, until the store can: a disk that is full or away loses no state of a run. An error
  // of that kind is returned only when the server stops.
  absl::StatusOr<SimulationRecord> UpdateWhenPossible(const SimulationName& name,
                                                      const Store::Change& change);
  // The simulation is now RUNNING, or nullopt when it is not waiting any more.
  std::optional<SimulationRecord> Claim(const FairQueue::Entry& entry);
  Outcome Failed(const Run& run, const absl::Status& status, int64_t events) const;
  // `turn`: when the last turn began.
  std::shared_ptr<const v1::Report> MakeReport(const Run& run, SteadyTime turn) const;
  void Publish(Run& run, const Progress& progress);
  // Writes how it ended to the store. The state that is kept there: not always the outcome's.
  SimulationState Keep(const Run& run, const Outcome& outcome);
  // Throws only as long as nothing is kept.
  void Finish(const Run& run, const Outcome& outcome);

  const RunnerOptions options_;
  Store& store_;
  PlanCache& plans_;
  Watchers& watchers_;
  const Clock& clock_;
  SessionMetrics& metrics_;

  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  FairQueue queue_;                                   // guarded by mutex_
  int64_t reserved_ = 0;                              // guarded by mutex_
  bool began_last_ = false;                           // what Next() did; guarded by mutex_
  std::map<std::string, std::shared_ptr<Run>> runs_;  // by uid; guarded by mutex_
  std::deque<std::shared_ptr<Run>> turns_;            // runs no thread works on; guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace tokensim
