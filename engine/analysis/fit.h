// Fits constants of a host to measured runs, one or several together.
//
//   FitCase fit_case{.name = "pro8b", .truth = truth, .start = {0.9e-3}, .plan = MakePlan};
//   absl::StatusOr<FitResult> fit = FitToRuns({&fit_case, 1}, constants);
//   fit->values          // as constants
//
// The objective is the mean of the squared relative errors of the figures of analysis/comparison.h:
// throughput in requests/s and the statistics of TTFT, TPOT and E2E; with TTFT and E2E from the
// arrival alone, so that no latency counts twice, and without the mean TTFT of a first stage, which
// carries the start of the server. A run weighs as much as any other, whatever the
// number of its figures; stages in which clients gave up do not count. A small pull towards the
// values that add nothing decides where the runs do not tell constants apart.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/analysis/comparison.h"
#include "engine/analysis/constants.h"
#include "engine/analysis/truth.h"
#include "engine/run/plan.h"

namespace tokensim::accuracy {

struct FitCase {
  std::string name;
  Truth truth;
  std::vector<double> start;  // of each constant
  // The run of the truth's requests at these values of the constants. One thread at a time calls it.
  std::function<absl::StatusOr<std::shared_ptr<const Plan>>(std::span<const double> values)> plan;
};

// Of one case.
struct FitErrors {
  std::vector<Comparison> comparisons;
  double rms = 0;  // root mean square of the errors of the objective
};

struct FitResult {
  std::vector<double> start;      // one per constant
  std::vector<double> values;     // the same
  std::vector<FitErrors> before;  // one per case
  std::vector<FitErrors> after;
  double rms_before = 0;  // over all cases
  double rms_after = 0;
  int evaluations = 0;
};

// Starts where the first case does.
[[nodiscard]] absl::StatusOr<FitResult> FitToRuns(std::span<const FitCase> cases,
                                                  std::span<const FitConstant* const> constants);

}  // namespace tokensim::accuracy
