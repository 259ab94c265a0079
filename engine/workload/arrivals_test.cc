// Distributions of the arrival processes beyond the basic ones (request_source_test.cc).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/workload/arrivals/weibull.h"
#include "engine/workload/test_draws.h"

namespace tokensim {
namespace {

struct Moments {
  double mean = 0;
  double cv = 0;
};

Moments GapMoments(const std::vector<SimTime>& times) {
  double sum = 0, squares = 0;
  SimTime previous = 0;
  for (const SimTime time : times) {
    const double gap = ToSeconds(time - previous);
    EXPECT_GE(gap, 0);
    sum += gap;
    squares += gap * gap;
    previous = time;
  }
  const auto count = static_cast<double>(times.size());
  const double mean = sum / count;
  return {mean, std::sqrt(squares / count - mean * mean) / mean};
}

// Share of the gaps that are shorter than `seconds`.
double ShareBelow(const std::vector<SimTime>& times, double seconds) {
  SimTime previous = 0;
  double count = 0;
  for (const SimTime time : times) {
    count += ToSeconds(time - previous) < seconds ? 1 : 0;
    previous = time;
  }
  return count / static_cast<double>(times.size());
}

constexpr int64_t kCount = 200'000;
constexpr double kRate = 4;

TEST(Gamma, HasItsMeanAndVariation) {
  for (const double cv : {0.2, 0.5, 1.0, 1.5, 3.0}) {
    const Moments gaps = GapMoments(Times(Draw(Make(kCount, GammaArrivals{kRate, cv}))));
    // Standard errors: cv / sqrt(n) of the mean, and below 0.6% of the cv up to 3.
    EXPECT_NEAR(gaps.mean * kRate, 1, 4 * cv / std::sqrt(kCount)) << cv;
    EXPECT_NEAR(gaps.cv / cv, 1, 0.02) << cv;
  }
}

TEST(Gamma, HasTheShapeOfAGammaDistribution) {
  // cv 1: exponential. Shape 4 (cv 0.5): Erlang, P(X < x) = 1 - e^-y sum_{i<4} y^i / i!, y = 4 x r.
  const auto exponential = Times(Draw(Make(kCount, GammaArrivals{kRate, 1})));
  EXPECT_NEAR(ShareBelow(exponential, 0.5 / kRate), 1 - std::exp(-0.5), 0.004);
  const auto erlang = Times(Draw(Make(kCount, GammaArrivals{kRate, 0.5})));
  const double y = 2;
  const double expected = 1 - std::exp(-y) * (1 + y + y * y / 2 + y * y * y / 6);
  EXPECT_NEAR(ShareBelow(erlang, 0.5 / kRate), expected, 0.004);
  // Shape 1/2 (cv sqrt 2): half a squared normal, P(X < x) = erf(sqrt(x r / 2)).
  const auto bursty = Times(Draw(Make(kCount, GammaArrivals{kRate, std::sqrt(2.0)})));
  EXPECT_NEAR(ShareBelow(bursty, 0.1 / kRate), std::erf(std::sqrt(0.05)), 0.004);
}

TEST(Gamma, ExtremesStayInOrder) {
  for (const double cv : {1e-300, 1e-9, 100.0}) {
    const auto times = Times(Draw(Make(10'000, GammaArrivals{kRate, cv})));
    EXPECT_TRUE(std::is_sorted(times.begin(), times.end())) << cv;
    if (cv > 1) continue;
    EXPECT_NEAR(ToSeconds(times.back()), 2500, 0.001) << cv;
  }
}

TEST(Weibull, ShapeGivesTheVariation) {
  EXPECT_NEAR(WeibullShape(1), 1, 1e-9);                        // exponential
  EXPECT_NEAR(WeibullShape(std::sqrt(4 / M_PI - 1)), 2, 1e-9);  // Rayleigh
  EXPECT_NEAR(WeibullShape(std::sqrt(5.0)), 0.5, 1e-9);         // 1 + cv^2 = 4! / 2!^2
  for (const double cv : {0.01, 0.1, 0.7, 2.0, 10.0, 100.0}) {
    const double x = 1 / WeibullShape(cv);
    const double square = std::tgamma(1 + 2 * x) / std::pow(std::tgamma(1 + x), 2) - 1;
    EXPECT_NEAR(std::sqrt(square) / cv, 1, 1e-6) << cv;
  }
}

TEST(Weibull, HasItsMeanAndVariation) {
  for (const double cv : {0.1, 0.5, 1.0, 2.0}) {
    const Moments gaps = GapMoments(Times(Draw(Make(kCount, WeibullArrivals{kRate, cv}))));
    EXPECT_NEAR(gaps.mean * kRate, 1, 4 * cv / std::sqrt(kCount)) << cv;
    EXPECT_NEAR(gaps.cv / cv, 1, 0.03) << cv;
  }
  // Rayleigh gaps of mean 1/r: P(X < x) = 1 - exp(-pi (x r)^2 / 4).
  const auto times = Times(Draw(Make(kCount, WeibullArrivals{kRate, std::sqrt(4 / M_PI - 1)})));
  EXPECT_NEAR(ShareBelow(times, 0.5 / kRate), 1 - std::exp(-M_PI / 16), 0.004);
}

// ---- Piecewise

int64_t CountIn(const std::vector<SimTime>& times, double begin, double end) {
  return std::count_if(times.begin(), times.end(), [&](SimTime time) {
    return time >= FromSeconds(begin) && time < FromSeconds(end);
  });
}

// A count is Poisson: within 4.5 standard deviations of its mean.
void ExpectCount(const std::vector<SimTime>& times, double begin, double end, double mean) {
  EXPECT_NEAR(static_cast<double>(CountIn(times, begin, end)), mean, 4.5 * std::sqrt(mean))
      << begin << " .. " << end;
}

TEST(Piecewise, CountsFollowTheRate) {
  const PiecewiseArrivals config = {{{100, 0, 100}, {50, 100, 100}, {10, 0, 0}, {100, 200, 20}},
                                    false};
  const auto times = Times(Draw(Make(40'000, config)));
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  ExpectCount(times, 0, 50, 1250);  // a ramp: a quarter of its 5,000 in the first half
  ExpectCount(times, 50, 100, 3750);
  ExpectCount(times, 100, 150, 5000);
  EXPECT_EQ(CountIn(times, 150, 160), 0);
  ExpectCount(times, 160, 210, 7750);  // (200 + 110) / 2 * 50
  ExpectCount(times, 210, 260, 3250);
  ExpectCount(times, 260, 360, 2000);  // the last rate, 20, stays
  ExpectCount(times, 360, 660, 6000);
}

TEST(Piecewise, Repeats) {
  const PiecewiseArrivals config = {{{10, 0, 40}, {10, 0, 0}}, true};
  const auto times = Times(Draw(Make(20'000, config)));
  for (int cycle = 0; cycle < 90; cycle += 30) {
    double low = 0, high = 0;
    for (int i = 0; i < 30; ++i) {
      const double start = 20.0 * (cycle + i);
      low += static_cast<double>(CountIn(times, start, start + 5));
      high += static_cast<double>(CountIn(times, start + 5, start + 10));
      EXPECT_EQ(CountIn(times, start + 10.001, start + 20), 0);
    }
    EXPECT_NEAR(low, 30 * 50, 4.5 * std::sqrt(1500));
    EXPECT_NEAR(high, 30 * 150, 4.5 * std::sqrt(4500));
  }
}

TEST(Piecewise, AConstantRateIsPoisson) {
  const PiecewiseArrivals one = {{{3, kRate, kRate}, {2, kRate, kRate}}, true};
  const auto times = Times(Draw(Make(kCount, one)));
  const Moments gaps = GapMoments(times);
  EXPECT_NEAR(gaps.mean * kRate, 1, 0.01);
  EXPECT_NEAR(gaps.cv, 1, 0.01);
  // The same stream: the same draws as the Poisson process.
  const auto poisson = Times(Draw(Make(kCount, PoissonArrivals{kRate})));
  for (size_t i = 0; i < 1000; ++i) {
    ASSERT_NEAR(ToSeconds(times[i]), ToSeconds(poisson[i]), 1e-7) << i;
  }
}

TEST(Piecewise, SkipsManyEmptyCyclesAtOnce) {
  const PiecewiseArrivals rare = {{{1, 1e-8, 1e-8}, {1, 0, 0}}, true};
  const auto times = Times(Draw(Make(20'000, rare)));
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_EQ(times.back(), kNever);  // 20,000 arrivals, one in 2e8 seconds
  EXPECT_NEAR(ToSeconds(times[19]) / 2e8, 20, 15);
}

TEST(Piecewise, ArrivalsThatEndAreAnInvariantError) {
  EXPECT_THROW((void)MakeRequestSource(Make(1, PiecewiseArrivals{{{1, 5, 0}}, false}), 0),
               InvariantError);
  EXPECT_THROW((void)MakeRequestSource(Make(1, PiecewiseArrivals{{{1, 0, 0}}, true}), 0),
               InvariantError);
}

// Changes here change published results: kEngineVersion must then change too.
TEST(Arrivals, FirstDrawsArePinned) {
  const auto first = [](const Arrivals& arrivals) { return Times(Draw(Make(3, arrivals), 42)); };
  EXPECT_EQ(first(GammaArrivals{8, 2}), (std::vector<SimTime>{104'739, 27'213'919, 35'701'340}));
  EXPECT_EQ(first(WeibullArrivals{8, 2}),
            (std::vector<SimTime>{201'783'270, 226'843'531, 261'363'573}));
  EXPECT_EQ(first(PiecewiseArrivals{{{1, 0, 8}, {1, 8, 2}}, true}),
            (std::vector<SimTime>{661'554'134, 760'754'224, 864'073'037}));
}

}  // namespace
}  // namespace tokensim
