// One run of a search: a spec with some fields set, in this process.
//
//   PointRun run = RunPoint(input, point.assignments, [&] { return interrupt.requested(); });
//   if (!run.error.empty()) ...
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "clients/cli/spec_input.h"
#include "engine/search/space.h"
#include "tokensim/v1/report.pb.h"

namespace tokensim::cli {

struct PointRun {
  std::string error;     // what is wrong with the spec, or how the run failed; empty: neither
  bool stopped = false;  // as `stop` asked; there is no report
  std::string digest;    // of the spec
  v1::Report report;     // without `execution`
  bool saturated = false;
};

// What a load is made of: the rate of the arrival process, or its users.
struct LoadField {
  std::string path;  // workload.arrival.poisson.rate_per_second
  double value = 0;
  bool is_rate = true;
};
// Of the prepared spec. Nothing: its arrivals come from a trace, or are of several rates.
[[nodiscard]] std::optional<LoadField> FindLoad(const v1::Spec& resolved);

// `input.spec` with the assignments, in their order; a relative value is one of the prepared spec's.
// The path `rate` is that of FindLoad.
[[nodiscard]] absl::Status Assign(const SpecInput& input,
                                  std::span<const search::Assignment> assignments, v1::Spec* spec);

// Thread-safe: `input` is only read. `stop` is asked about every 10 ms.
[[nodiscard]] PointRun RunSpec(const SpecInput& input, const v1::Spec& spec,
                               const std::function<bool()>& stop);
[[nodiscard]] PointRun RunPoint(const SpecInput& input,
                                std::span<const search::Assignment> assignments,
                                const std::function<bool()>& stop);

}  // namespace tokensim::cli
