#include "engine/analysis/in_flight.h"

#include <gtest/gtest.h>

namespace tokensim::accuracy {
namespace {

MeasuredRun Measured(const std::vector<std::pair<double, double>>& requests) {
  MeasuredRun run;
  run.has_first_token = run.has_last_token = true;
  for (const auto& [arrival, end] : requests) {
    MeasuredRequest& request = run.requests.emplace_back();
    request.arrival = FromSeconds(arrival);
    request.first_token = request.last_token = FromSeconds(end);
  }
  return run;
}

TEST(FindFlatTop, AClosedLoopLiesAtItsLimit) {
  // Two users, each with one request after the other.
  const auto top =
      FindFlatTop(Measured({{0, 10}, {0, 12}, {10, 19}, {12, 24}, {19, 28}, {24, 30}}));
  ASSERT_TRUE(top.has_value());
  EXPECT_EQ(top->in_flight, 2);
  EXPECT_NEAR(top->share, 28. / 30, 1e-9);
}

TEST(FindFlatTop, AnOpenLoopTouchesIt) {
  EXPECT_FALSE(
      FindFlatTop(Measured({{0, 10}, {1, 11}, {9.5, 30}, {20, 40}, {45, 60}})).has_value());
}

// Two for 9 s of 10, and three for the last.
TEST(FindFlatTop, ATimeBelowTheTopDoesNotCount) {
  EXPECT_FALSE(FindFlatTop(Measured({{0, 10}, {0, 10}, {9, 10}})).has_value());
}

TEST(FindFlatTop, OneAtATimeSaysNothing) {
  EXPECT_FALSE(FindFlatTop(Measured({{0, 10}, {10, 20}})).has_value());
}

TEST(FindFlatTop, WithoutEndsThereIsNoCurve) {
  MeasuredRun run = Measured({{0, 10}, {0, 12}});
  run.has_last_token = false;
  EXPECT_FALSE(FindFlatTop(run).has_value());
}

}  // namespace
}  // namespace tokensim::accuracy
