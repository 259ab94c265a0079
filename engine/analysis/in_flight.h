// Requests in flight over the time of a measured run.
//
// A client that has a limit holds requests back when the server is slow: its send times are those
// of that server, and keep a faster simulation from filling up. The curve shows it: it lies at its
// greatest value for much of the time, where that of an open loop touches it once.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/analysis/measured_run.h"

namespace tokensim::accuracy {

struct FlatTop {
  int64_t in_flight = 0;  // the greatest number
  double share = 0;       // of the time from first arrival to last token that is spent there
};

// None where the greatest number is 1, or held for less than a fifth of the time, or where the run
// does not say when requests ended.
[[nodiscard]] std::optional<FlatTop> FindFlatTop(const MeasuredRun& run);

}  // namespace tokensim::accuracy
