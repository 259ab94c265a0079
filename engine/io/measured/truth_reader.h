// Reads what a simulation is compared with, and gives its requests as the workload of a spec.
//
//   absl::StatusOr<Truth> truth = ReadTruth("run.csv");
//   *spec.mutable_workload() = ToWorkload(*truth, spec.seed());
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "engine/analysis/truth.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim::accuracy {

// Reads a file: what a benchmark tool wrote (bench_formats.h), a JSON object of stages, or the CSV file
// of a run. `path#N` is the run N of a file with several. NOT_FOUND: it cannot be read.
[[nodiscard]] absl::StatusOr<Truth> ReadTruth(const std::string& path);

// The same requests at the same times, with the same prompts as far as the truth tells them apart.
// With `max_in_flight` (0: none) the client has so many places, and the times are those it intended,
// where the truth has them.
[[nodiscard]] v1::Workload ToWorkload(const MeasuredRun& run, int32_t max_in_flight = 0);
[[nodiscard]] v1::Workload ToWorkload(const MeasuredStages& run, uint64_t seed);
[[nodiscard]] v1::Workload ToWorkload(const Truth& truth, uint64_t seed, int32_t max_in_flight = 0);

}  // namespace tokensim::accuracy
