#include "engine/base/time.h"

#include <gtest/gtest.h>

namespace tokensim {
namespace {

TEST(TimeTest, RoundsToTheNearestNanosecond) {
  EXPECT_EQ(FromSeconds(1.5), 1'500'000'000);
  EXPECT_EQ(FromSeconds(1.4e-9), 1);
  EXPECT_EQ(FromSeconds(1.6e-9), 2);
  EXPECT_EQ(FromSeconds(-1.6e-9), -2);
  EXPECT_EQ(FromSeconds(0.0), 0);
}

TEST(TimeTest, SaturatesInsteadOfOverflowing) {
  EXPECT_EQ(FromSeconds(1e300), kNever);
  EXPECT_EQ(FromSeconds(-1e300), std::numeric_limits<SimTime>::min());
  EXPECT_EQ(FromSeconds(std::nan("")), 0);
}

TEST(TimeTest, SecondsRoundTrip) {
  for (const SimTime t : {SimTime{0}, SimTime{1}, SimTime{999'999'999}, SimTime{123'456'789'012}}) {
    EXPECT_EQ(FromSeconds(ToSeconds(t)), t);
  }
}

}  // namespace
}  // namespace tokensim
