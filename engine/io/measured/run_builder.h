// Collects the requests of a measured run from any format.
//
//   RunBuilder builder("bench.json");
//   for (...) if (absl::Status s = builder.Add({.arrival = 12.5, ...}); !s.ok()) return s;
//   return builder.Take();
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/analysis/measured_run.h"

namespace tokensim::accuracy {

// A request that succeeded. Times are seconds from any start, the same for all of a run.
struct RunRow {
  std::string id;
  double arrival = 0;              // when the client sent it
  std::optional<double> intended;  // when it would have, had it had a place
  std::optional<double> first_token;
  std::optional<double> last_token;
  double input_tokens = 0;
  double output_tokens = 0;
};

class RunBuilder {
 public:
  explicit RunBuilder(std::string name) { run_.name = std::move(name); }

  // INVALID_ARGUMENT: a figure is out of range, or the times are not in order.
  [[nodiscard]] absl::Status Add(const RunRow& row);
  // One that failed is counted and left out.
  void AddFailed() { ++run_.failed; }

  // In order of arrival. What some rows lack, the run does not have. INVALID_ARGUMENT: no request
  // succeeded, or some have neither a first nor a last token.
  [[nodiscard]] absl::StatusOr<MeasuredRun> Take();

 private:
  MeasuredRun run_;
  bool all_intended_ = true;
  bool all_first_ = true;
  bool all_last_ = true;
};

// Orders the requests by arrival and counts their times from the first. `run` is not empty.
void OrderFromFirstArrival(MeasuredRun* run);

}  // namespace tokensim::accuracy
