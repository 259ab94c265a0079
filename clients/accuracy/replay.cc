#include "clients/accuracy/replay.h"

#include <chrono>
#include <limits>

#include "engine/core/simulation.h"

namespace tokensim::accuracy {

absl::StatusOr<Replay> RunReplay(const std::shared_ptr<const Plan>& plan) {
  const auto start = std::chrono::steady_clock::now();
  Simulation simulation(plan);
  while (!simulation.done()) {
    if (auto status = simulation.Advance(std::numeric_limits<int64_t>::max()); !status.ok()) {
      return status;
    }
  }
  Replay replay;
  replay.records = simulation.results().records.Rows();
  replay.wall_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return replay;
}

}  // namespace tokensim::accuracy
