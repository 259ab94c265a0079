#include "engine/compute/profile/axis.h"

#include <gtest/gtest.h>

#include <limits>

#include "engine/compute/calibration.h"

namespace tokensim {
namespace {

TEST(AxisTest, BetweenPointsAndAtTheEnds) {
  const std::vector<double> axis = {1, 2, 6};
  const auto expect = [&](double value, size_t below, double fraction) {
    const AxisPosition p = Locate(axis, value);
    EXPECT_EQ(p.below, below) << value;
    EXPECT_EQ(p.fraction, fraction) << value;
  };
  expect(-3, 0, 0);
  expect(1, 0, 0);
  expect(1.25, 0, 0.25);
  expect(2, 1, 0);
  expect(3, 1, 0.25);
  expect(6, 2, 0);
  expect(7, 2, 0);
  EXPECT_EQ(Locate({5}, 5).below, 0u);
  EXPECT_EQ(Locate({5}, 9).fraction, 0);
}

TEST(AxisTest, NoNumberHasNoPosition) {
  const std::vector<double> axis = {1, 2, 6};
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW((void)Locate(axis, value), InvariantError) << value;
    const CollectiveTable table{.bytes = {1, 2}, .seconds = {1, 2}};
    EXPECT_THROW((void)table.Seconds(value), InvariantError) << value;
  }
}

}  // namespace
}  // namespace tokensim
