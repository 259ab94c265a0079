#include "engine/report/cost.h"

#include <cstddef>

namespace tokensim {
namespace {

constexpr double kSecondsPerHour = 3600;
constexpr double kMillion = 1e6;
constexpr double kJoulesPerKilowattHour = 3.6e6;

// The sum over all devices of what each needs per unit of time, while it is up: that of one device
// x seconds. Nothing when some worker's is not known.
std::optional<double> WhileUp(const Plan& plan, const Results& results,
                              double WorkerPlan::*of_device) {
  if (results.end_time <= 0) return std::nullopt;
  double sum = 0;
  for (size_t i = 0; i < plan.workers.size(); ++i) {
    const WorkerPlan& worker = plan.workers[i];
    if (worker.*of_device <= 0) return std::nullopt;
    const double up = ToSeconds(results.end_time - results.workers[i].unavailable);
    sum += worker.*of_device * worker.devices * up;
  }
  return sum;
}

// What is needed for one of `per_second`.
std::optional<double> Each(double needed_per_second, double per_second) {
  if (per_second <= 0) return std::nullopt;
  return needed_per_second / per_second;
}

}  // namespace

std::optional<CostSummary> SummarizeCost(const Plan& plan, const Results& results,
                                         const ServedRates& served) {
  const auto hours_of_dollars = WhileUp(plan, results, &WorkerPlan::dollars_per_hour);
  if (!hours_of_dollars) return std::nullopt;
  CostSummary cost;
  cost.dollars = *hours_of_dollars / kSecondsPerHour;
  const double per_second = cost.dollars / ToSeconds(results.end_time);
  cost.dollars_per_hour = per_second * kSecondsPerHour;
  const double tokens = served.input_tokens_per_second + served.output_tokens_per_second;
  cost.dollars_per_million_output_tokens =
      Each(per_second * kMillion, served.output_tokens_per_second);
  cost.dollars_per_million_tokens = Each(per_second * kMillion, tokens);
  // Nothing is up all the time: no price, and no request either.
  if (per_second > 0 && served.requests_per_second > 0) {
    cost.requests_per_dollar = served.requests_per_second / per_second;
  }
  return cost;
}

std::optional<EnergySummary> SummarizeEnergy(const Plan& plan, const Results& results,
                                             const ServedRates& served) {
  const auto joules = WhileUp(plan, results, &WorkerPlan::watts);
  if (!joules) return std::nullopt;
  EnergySummary energy;
  energy.max_kilowatt_hours = *joules / kJoulesPerKilowattHour;
  energy.max_watts = *joules / ToSeconds(results.end_time);
  energy.max_joules_per_output_token = Each(energy.max_watts, served.output_tokens_per_second);
  return energy;
}

}  // namespace tokensim
