// Reads a load test of a real engine that left aggregates only: a JSON document, whose keys
// docs/accuracy.md lists.
//
//   absl::StatusOr<MeasuredStages> run = ParseMeasuredStages(json, "run.json");
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/analysis/measured_stages.h"

namespace tokensim::accuracy {

// INVALID_ARGUMENT names the key and what is wrong with it.
[[nodiscard]] absl::StatusOr<MeasuredStages> ParseMeasuredStages(std::string_view contents,
                                                                 const std::string& name);

}  // namespace tokensim::accuracy
