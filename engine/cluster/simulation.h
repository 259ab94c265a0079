// One run of a plan: the discrete-event loop.
//
// Deterministic, single-threaded, without I/O, clock or globals. A caller advances it in slices, so
// a server can interleave, watch and cancel many runs:
//
//   Simulation simulation(plan);
//   while (!simulation.done()) RETURN_IF_ERROR(simulation.Advance(50'000));
//   Report report = BuildReport(*plan, simulation.results());
//
// Thread-safety: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "engine/run/observer.h"
#include "engine/run/plan.h"
#include "engine/run/results.h"

namespace tokensim {

class Cluster;

class Simulation {
 public:
  // `observer` may be null; it must outlive the simulation. Keeps a record of every request in its
  // results.
  explicit Simulation(std::shared_ptr<const Plan> plan, Observer* observer = nullptr);
  // Hands the records to `sink`, which must outlive the simulation, and keeps none. Null: nobody
  // wants them, and the memory of a run does not grow with its length.
  Simulation(std::shared_ptr<const Plan> plan, Observer* observer, RecordSink* sink);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  // Handles up to `max_events` more events (arrivals, iterations, snapshots). INTERNAL when an
  // invariant of the engine broke: the message holds the seed and the event, a reproducer. The
  // simulation is then done; advancing it again gives the same
  // status.
  [[nodiscard]] absl::Status Advance(int64_t max_events);

  [[nodiscard]] bool done() const;
  [[nodiscard]] Progress progress() const;
  // Complete once done() after OK.
  [[nodiscard]] const Results& results() const;
  // The results, once done(): the simulation is of no use any more.
  [[nodiscard]] Results TakeResults();
  // The workers and what passes between them, as they are now: for tests of invariants.
  [[nodiscard]] const Cluster& cluster() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokensim
