// Runs a plan to its end, in this thread.
//
//   absl::StatusOr<Replay> replay = RunReplay(prepared.plan);
//   std::vector<Comparison> comparisons = Compare(truth, replay->records);
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/run/plan.h"
#include "engine/run/results.h"

namespace tokensim::accuracy {

struct Replay {
  std::vector<RequestRecord> records;
};

[[nodiscard]] absl::StatusOr<Replay> RunReplay(const std::shared_ptr<const Plan>& plan);

}  // namespace tokensim::accuracy
