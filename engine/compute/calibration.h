// What one host and engine add to the times of the operators.
//
// Operators are measured alone, on a warm GPU; an engine runs them one after the other beside a
// Python process. The difference is a fact of the host that no operator table holds, so it is
// data: a few constants, each with a physical meaning and range, fitted to a run of that host
// (`tokensim calibrate`, docs/accuracy.md). The default adds nothing. No constant makes an operator
// faster than the peaks of the device allow, unless it was measured so.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/invariant.h"

namespace tokensim {

// Measured all-reduce between the devices of a worker: linear between the points, and beyond them
// along the first and the last piece. One point is a constant.
struct CollectiveTable {
  std::vector<double> bytes;  // ascending
  std::vector<double> seconds;

  [[nodiscard]] bool empty() const { return bytes.empty(); }
  [[nodiscard]] double Seconds(double message) const {
    TOKENSIM_INVARIANT(std::isfinite(message), "a message that is no number");
    if (bytes.size() == 1) return seconds[0];
    const auto above = std::upper_bound(bytes.begin() + 1, bytes.end() - 1, message);
    const auto i = static_cast<size_t>(above - bytes.begin());
    const double slope = (seconds[i] - seconds[i - 1]) / (bytes[i] - bytes[i - 1]);
    return std::max(0.0, seconds[i - 1] + slope * (message - bytes[i - 1]));
  }
};

struct CalibrationConfig {
  double iteration_seconds = 0;     // of the host, per iteration
  double sequence_seconds = 0;      // of the host, per sequence in the batch
  bool overlaps_host = false;       // an iteration takes the longer of host and GPU, else their sum
  double dense_factor = 1;          // of the dense operators and experts
  double prefill_dense_factor = 1;  // of the same, on top, in iterations with prompt tokens
  double attention_factor = 1;
  double attention_launch_seconds = 0;  // taken off each call of attention
  // Of the time of arithmetic, of operators as far as they are bound by it: sustained clocks. >= 1.
  double compute_factor = 1;
  double layer_seconds = 0;            // added to every layer
  double all_reduce_seconds = 0;       // added to each all-reduce
  CollectiveTable all_reduce;          // empty: the pricer's
  std::vector<int32_t> capture_sizes;  // rows are padded to the next; ascending
};

}  // namespace tokensim
