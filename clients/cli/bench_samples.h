// Statistics as load generators compute them, of the requests in the order they were sent.
#pragma once

#include <vector>

#include "engine/run/request_table.h"

namespace tokensim::cli {

// 0 when there are none.
[[nodiscard]] double MeanOf(const std::vector<double>& values);
// The standard deviation of the whole population, as numpy's.
[[nodiscard]] double DeviationOf(const std::vector<double>& values);
// numpy's default: linear between the two nearest ranks. `sorted` is not empty; `share` in [0, 1].
[[nodiscard]] double PercentileOf(const std::vector<double>& sorted, double share);

[[nodiscard]] std::vector<RequestRecord> InOrderOfArrival(const RequestTable& records);

}  // namespace tokensim::cli
