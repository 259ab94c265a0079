#include "engine/analysis/replay.h"

#include <limits>

#include "engine/cluster/simulation.h"

namespace tokensim::accuracy {

absl::StatusOr<Replay> RunReplay(const std::shared_ptr<const Plan>& plan) {
  Simulation simulation(plan);
  while (!simulation.done()) {
    if (auto status = simulation.Advance(std::numeric_limits<int64_t>::max()); !status.ok()) {
      return status;
    }
  }
  Replay replay;
  replay.records = simulation.results().records.Rows();
  return replay;
}

}  // namespace tokensim::accuracy
