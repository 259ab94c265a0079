#include "engine/search/capacity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tokensim::search {
namespace {

using testing::HasSubstr;

Judge Below(double limit) {
  return [limit](double value, double) -> absl::StatusOr<Verdict> {
    return Verdict{value <= limit, value <= limit ? "" : "too much"};
  };
}

Capacity Find(const CapacityLimits& limits, const Judge& judge) {
  const absl::StatusOr<Capacity> found = FindCapacity(limits, judge);
  EXPECT_TRUE(found.ok()) << found.status();
  return found.ok() ? *found : Capacity();
}

TEST(Capacity, FromBelowAndFromAbove) {
  for (const double start : {0.1, 9.9, 10.0, 11.0, 5000.0}) {
    const Capacity found = Find({.start = start, .longer_runs = 0}, Below(10));
    ASSERT_TRUE(found.good && found.bad) << start;
    EXPECT_LE(*found.good, 10);
    EXPECT_GT(*found.bad, 10);
    EXPECT_LE(*found.bad / *found.good, 1.01);
    EXPECT_TRUE(found.settled);
    EXPECT_TRUE(found.monotone);
    EXPECT_EQ(found.broke, "too much");
    EXPECT_LE(found.trials.size(), 26u);
  }
}

TEST(Capacity, TheSmallestNumberThatServes) {
  const Judge at_least = [](double value, double) -> absl::StatusOr<Verdict> {
    return Verdict{value >= 11, "too few"};
  };
  for (const double start : {1.0, 11.0, 64.0}) {
    const Capacity found = Find(
        {.seek = Seek::kSmallest, .start = start, .min = 1, .max = 1024, .whole = true}, at_least);
    EXPECT_EQ(found.good, 11);
    EXPECT_EQ(found.bad, 10);
    for (const Trial& trial : found.trials) EXPECT_EQ(trial.value, std::round(trial.value));
  }
}

TEST(Capacity, LimitsEndTheSearch) {
  const Capacity all = Find({.start = 8, .max = 100}, Below(1e9));
  EXPECT_EQ(all.good, 100);
  EXPECT_FALSE(all.bad);
  EXPECT_TRUE(all.settled);
  const Capacity none = Find({.start = 8, .min = 0.5}, Below(0));
  EXPECT_FALSE(none.good);
  EXPECT_EQ(none.bad, 0.5);
  EXPECT_TRUE(none.settled);
  const Capacity one = Find({.start = 1, .min = 1, .max = 1, .whole = true}, Below(3));
  EXPECT_EQ(one.good, 1);
}

TEST(Capacity, OutOfTrials) {
  const Capacity found = Find({.start = 1, .max_trials = 5}, Below(10));
  EXPECT_EQ(found.trials.size(), 5u);
  EXPECT_FALSE(found.settled);
  EXPECT_EQ(found.good, 8);
  EXPECT_EQ(found.bad, 16);
}

// Short runs let 30 % of overload pass, runs four times as long 10 %, longer ones 2 %.
TEST(Capacity, OverloadThatShowsInTimeIsFound) {
  const Judge slow = [](double value, double scale) -> absl::StatusOr<Verdict> {
    const double limit = scale == 1 ? 13 : scale == 4 ? 11 : 10.2;
    return Verdict{value <= limit, "saturated"};
  };
  const Capacity found = Find({.start = 4}, slow);
  EXPECT_EQ(found.scale, 16);
  EXPECT_LE(*found.good, 10.2);
  EXPECT_GT(*found.bad, 10.2);
  EXPECT_LE(*found.bad / *found.good, 1.01);
  EXPECT_TRUE(found.monotone);
  const Capacity hasty = Find({.start = 4, .longer_runs = 0}, slow);
  EXPECT_EQ(hasty.scale, 1);
  EXPECT_NEAR(*hasty.good, 13, 0.14);
}

TEST(Capacity, VerdictsWithoutAThresholdAreTold) {
  const Judge odd = [](double value, double) -> absl::StatusOr<Verdict> {
    return Verdict{value < 3 || (value > 5 && value < 7), "odd"};
  };
  const Capacity found = Find({.start = 1}, odd);
  EXPECT_NEAR(*found.good, 3, 0.04);
  EXPECT_FALSE(found.monotone);  // 6 serves
}

TEST(Capacity, BadLimitsAndErrors) {
  EXPECT_THAT(std::string(FindCapacity({.start = 0}, Below(1)).status().message()),
              HasSubstr("must start within its limits"));
  EXPECT_THAT(std::string(FindCapacity({.min = 2, .max = 1}, Below(1)).status().message()),
              HasSubstr("0 < min <= max"));
  EXPECT_THAT(std::string(FindCapacity({.tolerance = 0}, Below(1)).status().message()),
              HasSubstr("tolerance"));
  const Judge fails = [](double, double) -> absl::StatusOr<Verdict> {
    return absl::InternalError("broken");
  };
  EXPECT_EQ(FindCapacity({}, fails).status().message(), "broken");
}

}  // namespace
}  // namespace tokensim::search
