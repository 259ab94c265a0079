// What a simulation is compared with, of either kind, and its requests as the workload of a spec.
//
//   absl::StatusOr<Truth> truth = ReadTruth("run.csv");
//   *spec.mutable_workload() = ToWorkload(*truth, spec.seed());
#pragma once

#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "engine/analysis/measured_run.h"
#include "engine/analysis/measured_stages.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim::accuracy {

using Truth = std::variant<MeasuredRun, MeasuredStages>;

// Reads a file; a JSON object is a run of stages, anything else the CSV file of a run. NOT_FOUND:
// it cannot be read.
[[nodiscard]] absl::StatusOr<Truth> ReadTruth(const std::string& path);

// The same requests at the same times, with the same prompts as far as the truth tells them apart.
[[nodiscard]] v1::Workload ToWorkload(const MeasuredRun& run);
[[nodiscard]] v1::Workload ToWorkload(const MeasuredStages& run, uint64_t seed);
[[nodiscard]] v1::Workload ToWorkload(const Truth& truth, uint64_t seed);

[[nodiscard]] const std::string& NameOf(const Truth& truth);

}  // namespace tokensim::accuracy
