#include "engine/analysis/least_squares.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace tokensim::accuracy {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

using X = std::span<const double>;

TEST(MinimizeSquares, FindsAPointInside) {
  const std::vector<FitVariable> variables = {{0, -10, 10, 0.1}, {0, -10, 10, 0.1}};
  const auto fit = MinimizeSquares(variables, [](X x) -> std::vector<double> {
    return {x[0] - 3, 2 * (x[1] + 4), x[0] + x[1] + 1};
  });
  EXPECT_THAT(fit.x, ElementsAre(DoubleNear(3, 1e-6), DoubleNear(-4, 1e-6)));
  EXPECT_NEAR(fit.sum_of_squares, 0, 1e-12);
  EXPECT_LT(fit.evaluations, 100);
}

TEST(MinimizeSquares, StopsAtTheBoundAndOptimisesTheRest) {
  // Alone, x would be 3: at its bound of 1, y makes up for what is missing.
  const std::vector<FitVariable> variables = {{0, 0, 1, 0.01}, {0, 0, 10, 0.01}};
  const auto fit = MinimizeSquares(variables, [](X x) -> std::vector<double> {
    return {10 * (x[0] - 3), x[0] + x[1] - 4};
  });
  EXPECT_THAT(fit.x, ElementsAre(1, DoubleNear(3, 1e-4)));
}

TEST(MinimizeSquares, LeavesABoundThatItStartsAt) {
  const std::vector<FitVariable> variables = {{2, 0, 2, 0.5}};
  double greatest = 0;
  const auto fit = MinimizeSquares(variables, [&](X x) -> std::vector<double> {
    greatest = std::max(greatest, x[0]);
    return {x[0] - 0.25};
  });
  EXPECT_THAT(fit.x, ElementsAre(DoubleNear(0.25, 1e-6)));
  EXPECT_EQ(greatest, 2) << "nothing is tried beyond a bound";
}

TEST(MinimizeSquares, FollowsACurvedNarrowValley) {
  // Rosenbrock (Computer Journal 3, 1960), as squares.
  const std::vector<FitVariable> variables = {{-1.2, -5, 5, 1e-3}, {1, -5, 5, 1e-3}};
  const auto fit = MinimizeSquares(variables, [](X x) -> std::vector<double> {
    return {10 * (x[1] - x[0] * x[0]), 1 - x[0]};
  });
  EXPECT_THAT(fit.x, ElementsAre(DoubleNear(1, 1e-2), DoubleNear(1, 2e-2)));
}

TEST(MinimizeSquares, VariablesThatDoTheSameAreToldApartByAPull) {
  // Only x + 32 y is known; a pull towards 0 in widths prefers to change y.
  const std::vector<FitVariable> variables = {{0, 0, 20, 0.1}, {0, 0, 1, 0.1}};
  const auto fit = MinimizeSquares(variables, [](X x) -> std::vector<double> {
    return {x[0] + 32 * x[1] - 8, 1e-2 * x[0], 1e-2 * x[1]};
  });
  EXPECT_NEAR(fit.x[0] + 32 * fit.x[1], 8, 0.01);
  EXPECT_NEAR(fit.x[1], 0.25, 0.01);
}

TEST(MinimizeSquares, JumpsSmallerThanTheWidthDoNotHideTheSlope) {
  const std::vector<FitVariable> variables = {{0, 0, 10, 0.2}};
  const auto fit = MinimizeSquares(
      variables, [](X x) -> std::vector<double> { return {std::round(x[0] * 50) / 50 - 7}; });
  EXPECT_THAT(fit.x, ElementsAre(DoubleNear(7, 0.02)));
}

TEST(MinimizeSquares, StopsAtTheMostEvaluations) {
  const std::vector<FitVariable> variables = {{-1.2, -5, 5, 1e-3}, {1, -5, 5, 1e-3}};
  int evaluations = 0;
  const auto fit = MinimizeSquares(
      variables,
      [&](X x) -> std::vector<double> {
        ++evaluations;
        return {10 * (x[1] - x[0] * x[0]), 1 - x[0]};
      },
      20);
  EXPECT_EQ(fit.evaluations, evaluations);
  EXPECT_LE(evaluations, 23);
}

TEST(MinimizeSquares, AFlatFunctionIsLeftWhereItIs) {
  const std::vector<FitVariable> variables = {{0.5, 0, 1, 0.1}};
  const auto fit = MinimizeSquares(variables, [](X) -> std::vector<double> { return {1}; });
  EXPECT_THAT(fit.x, ElementsAre(0.5));
}

}  // namespace
}  // namespace tokensim::accuracy
