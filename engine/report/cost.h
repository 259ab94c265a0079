// What the devices of a run cost, and the most that they can have drawn.
//
// A worker counts while it is up: from the start of the run, or from when it serves, until it fails
// or stops, or to the end. Figures per token and request are of the requests that count, over the
// span of the throughput, at the mean price or power of the run (docs/metrics.md).
#pragma once

#include <optional>

#include "engine/run/plan.h"
#include "engine/run/results.h"

namespace tokensim {

// Of the requests that count in the throughput; 0: none finished.
struct ServedRates {
  double requests_per_second = 0;
  double input_tokens_per_second = 0;
  double output_tokens_per_second = 0;
};

struct CostSummary {
  double dollars_per_hour = 0;  // of the deployment, mean over the run
  double dollars = 0;           // of the run
  // None: nothing finished.
  std::optional<double> dollars_per_million_output_tokens;
  std::optional<double> dollars_per_million_tokens;  // input and output together
  std::optional<double> requests_per_dollar;
};

// Upper bounds: what is up draws its thermal design power.
struct EnergySummary {
  double max_watts = 0;  // mean over the run
  double max_kilowatt_hours = 0;
  std::optional<double> max_joules_per_output_token;  // none: nothing finished
};

// None unless every worker's devices have a price, or when the run took no time.
[[nodiscard]] std::optional<CostSummary> SummarizeCost(const Plan& plan, const Results& results,
                                                       const ServedRates& served);
// None unless every worker's devices state their watts, or when the run took no time.
[[nodiscard]] std::optional<EnergySummary> SummarizeEnergy(const Plan& plan, const Results& results,
                                                           const ServedRates& served);

}  // namespace tokensim
