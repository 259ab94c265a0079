#include "engine/report/cost.h"

#include <gtest/gtest.h>

#include "engine/report/report.h"
#include "engine/report/test_runs.h"

namespace tokensim {
namespace {

// Two workers of four devices at 2.5 $ and 500 W; the second is away for 1 of 11 s.
Plan PricedPlan() {
  Plan plan = OneWorkerPlan(4);
  plan.workers[0].devices = 4;
  plan.workers[0].dollars_per_hour = 2.5;
  plan.workers[0].watts = 500;
  plan.workers.push_back(plan.workers[0]);
  return plan;
}

Results TwoWorkers() {
  Results results = SmallRun();
  results.workers.resize(2);
  results.timelines.resize(2);
  results.workers[1].unavailable = kSecond;
  return results;
}

TEST(CostTest, WorkersArePaidForWhileTheyAreUp) {
  const Report report = BuildReport(PricedPlan(), TwoWorkers());
  ASSERT_TRUE(report.cost.has_value());
  EXPECT_DOUBLE_EQ(report.cost->dollars, 10.0 * (11 + 10) / 3600);
  EXPECT_DOUBLE_EQ(report.cost->dollars_per_hour, 10.0 * 21 / 11);
}

TEST(CostTest, TokensAndRequestsCostWhatTheirThroughputSays) {
  const Report report = BuildReport(PricedPlan(), TwoWorkers());
  const double per_second = 10.0 * 21 / 11 / 3600;
  ASSERT_TRUE(report.cost.has_value());
  // 0.3 requests, 60 input and 1.6 output tokens per second.
  EXPECT_DOUBLE_EQ(report.cost->dollars_per_million_output_tokens.value(), 1e6 * per_second / 1.6);
  EXPECT_DOUBLE_EQ(report.cost->dollars_per_million_tokens.value(), 1e6 * per_second / 61.6);
  EXPECT_DOUBLE_EQ(report.cost->requests_per_dollar.value(), 0.3 / per_second);
}

TEST(CostTest, EnergyIsAtMostThePowerOfWhatIsUp) {
  const Report report = BuildReport(PricedPlan(), TwoWorkers());
  ASSERT_TRUE(report.energy.has_value());
  EXPECT_DOUBLE_EQ(report.energy->max_kilowatt_hours, 2000.0 * 21 / 3.6e6);
  EXPECT_DOUBLE_EQ(report.energy->max_watts, 2000.0 * 21 / 11);
  EXPECT_DOUBLE_EQ(report.energy->max_joules_per_output_token.value(), 2000.0 * 21 / 11 / 1.6);
}

TEST(CostTest, OneWorkerWithoutAFigureLeavesItOut) {
  Plan plan = PricedPlan();
  plan.workers[1].dollars_per_hour = 0;
  EXPECT_FALSE(BuildReport(plan, TwoWorkers()).cost.has_value());
  EXPECT_TRUE(BuildReport(plan, TwoWorkers()).energy.has_value());
  plan.workers[0].watts = 0;
  EXPECT_FALSE(BuildReport(plan, TwoWorkers()).energy.has_value());
  EXPECT_FALSE(BuildReport(OneWorkerPlan(4), SmallRun()).cost.has_value());
}

TEST(CostTest, WhereNothingFinishedOnlyTheDeploymentHasAPrice) {
  Results results = TwoWorkers();
  results.records = std::vector<RequestRecord>{};
  const Report report = BuildReport(PricedPlan(), results);
  ASSERT_TRUE(report.cost.has_value());
  EXPECT_GT(report.cost->dollars, 0);
  EXPECT_FALSE(report.cost->dollars_per_million_output_tokens.has_value());
  EXPECT_FALSE(report.cost->dollars_per_million_tokens.has_value());
  EXPECT_FALSE(report.cost->requests_per_dollar.has_value());
  EXPECT_FALSE(report.energy.value().max_joules_per_output_token.has_value());
}

TEST(CostTest, ARunThatTookNoTimeCostsNothing) {
  Results results = TwoWorkers();
  results.end_time = 0;
  EXPECT_FALSE(BuildReport(PricedPlan(), results).cost.has_value());
}

}  // namespace
}  // namespace tokensim
