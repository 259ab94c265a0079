// Runs a plan to its end, in this thread.
//
//   absl::StatusOr<Replay> replay = RunReplay(prepared.plan);
//   std::vector<Comparison> comparisons = Compare(truth, replay->records);
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/core/plan.h"
#include "engine/core/results.h"

namespace tokensim::accuracy {

struct Replay {
  std::vector<RequestRecord> records;
  double wall_seconds = 0;
};

[[nodiscard]] absl::StatusOr<Replay> RunReplay(const std::shared_ptr<const Plan>& plan);

}  // namespace tokensim::accuracy
