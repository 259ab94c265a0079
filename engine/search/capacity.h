// The largest value that still serves: a rate, a number of clients; or the smallest: a number of
// workers.
//
//   CapacityLimits limits{.start = 8};
//   auto found = FindCapacity(limits, [&](double rate, double scale) { return Judge(rate, scale); });
//   if (found.ok() && found->good) Print(*found->good);
//
// From `start` the value is doubled (or halved, when it is too much already) until one serves and one
// does not, and the bracket is halved on a logarithmic scale to the tolerance: about 7 trials for a
// start within 8 x of the answer, and log2(ln 2 / tolerance) more. Overload shows only in time: a
// system that gets a little more than it can do passes a short run. So the answer is tried again in a
// run four times as long, and when it does not hold, the search goes on below it in such runs.
//
// At the end two values well beyond the answer are tried: when one of them serves, the verdicts have
// no threshold, and that is told.
//
// A function of the judge alone: deterministic when that is. Not thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tokensim::search {

enum class Seek { kLargest, kSmallest };

struct CapacityLimits {
  Seek seek = Seek::kLargest;
  double start = 1;   // min .. max
  double min = 1e-6;  // > 0
  double max = 1e12;
  double tolerance = 0.01;  // bad / good - 1, or the reverse, at the end; > 0
  bool whole = false;       // whole numbers only; the tolerance then ends at neighbours
  int max_trials = 60;
  int longer_runs = 2;  // how often the answer is tried again in a longer run; 0: never
};

struct Trial {
  double value = 0;
  double scale = 1;  // of the length of its run
  bool serves = false;
  std::string broke;  // why it does not serve
};

struct Capacity {
  std::optional<double> good;  // the best value that serves; nothing: none does
  std::optional<double> bad;   // the nearest tried beyond it that does not; nothing: all serve
  std::string broke;           // what broke at `bad`
  double scale = 1;            // of the runs that decided
  bool settled = false;        // within the tolerance, or at a limit; false: out of trials
  // False: a value beyond one that does not serve serves (noise, or a system that is better off with
  // more), and the answer is one of several.
  bool monotone = true;
  std::vector<Trial> trials;  // in their order
};

struct Verdict {
  bool serves = false;
  std::string broke;
};

// What a value is worth in a run of `scale` times the usual length. An error ends the search.
using Judge = std::function<absl::StatusOr<Verdict>(double value, double scale)>;

// INVALID_ARGUMENT for limits out of range; else what the judge answers.
[[nodiscard]] absl::StatusOr<Capacity> FindCapacity(const CapacityLimits& limits,
                                                    const Judge& judge);

}  // namespace tokensim::search
