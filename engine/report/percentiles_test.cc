#include "engine/report/percentiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

// numpy.percentile(samples, percent), written as its documentation says.
double NaivePercentile(std::vector<double> samples, double percent) {
  std::sort(samples.begin(), samples.end());
  const double position = percent / 100 * static_cast<double>(samples.size() - 1);
  const auto below = static_cast<size_t>(std::floor(position));
  const size_t above = std::min(below + 1, samples.size() - 1);
  const double fraction = position - std::floor(position);
  return samples[below] + (samples[above] - samples[below]) * fraction;
}

void ExpectNaive(const std::vector<double>& samples) {
  const Distribution d = Summarize(samples);
  EXPECT_EQ(d.count, static_cast<int64_t>(samples.size()));
  EXPECT_EQ(d.min, *std::min_element(samples.begin(), samples.end()));
  EXPECT_EQ(d.max, *std::max_element(samples.begin(), samples.end()));
  EXPECT_EQ(d.p50, NaivePercentile(samples, 50));
  EXPECT_EQ(d.p90, NaivePercentile(samples, 90));
  EXPECT_EQ(d.p95, NaivePercentile(samples, 95));
  EXPECT_EQ(d.p99, NaivePercentile(samples, 99));
  long double sum = 0;
  for (const double x : samples) sum += x;
  const long double mean = sum / static_cast<long double>(samples.size());
  long double squares = 0;
  for (const double x : samples) squares += (x - mean) * (x - mean);
  const auto stddev =
      static_cast<double>(std::sqrt(squares / static_cast<long double>(samples.size())));
  EXPECT_NEAR(d.mean, static_cast<double>(mean), 1e-12 * static_cast<double>(mean));
  EXPECT_NEAR(d.stddev, stddev, 1e-11 * stddev + 1e-15 * d.max);
  EXPECT_EQ(Percentile(samples, 0), d.min);
  EXPECT_EQ(Percentile(samples, 37.5), NaivePercentile(samples, 37.5));
  EXPECT_EQ(Percentile(samples, 100), d.max);
}

TEST(Summarize, NoSampleIsZero) {
  const Distribution d = Summarize({});
  EXPECT_EQ(d.count, 0);
  EXPECT_EQ(d.mean, 0);
  EXPECT_EQ(d.p99, 0);
  EXPECT_EQ(Percentile({}, 50), 0);
}

TEST(Summarize, OneSampleIsEverything) {
  const Distribution d = Summarize(std::vector<double>{2.5});
  EXPECT_EQ(d.count, 1);
  for (const double x : {d.mean, d.min, d.p50, d.p90, d.p95, d.p99, d.max}) EXPECT_EQ(x, 2.5);
  EXPECT_EQ(d.stddev, 0);
}

// numpy: a = [4, 1, 3, 2, 5]; mean 3, std sqrt(2), percentiles 3, 4.6, 4.8, 4.96.
TEST(Summarize, InterpolatesAsNumpy) {
  const Distribution d = Summarize(std::vector<double>{4, 1, 3, 2, 5});
  EXPECT_DOUBLE_EQ(d.mean, 3);
  EXPECT_DOUBLE_EQ(d.stddev, std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(d.p50, 3);
  EXPECT_DOUBLE_EQ(d.p90, 4.6);
  EXPECT_DOUBLE_EQ(d.p95, 4.8);
  EXPECT_DOUBLE_EQ(d.p99, 4.96);
}

TEST(Summarize, EqualSamplesHaveNoSpread) {
  const Distribution d = Summarize(std::vector<double>(10'000, 0.1));
  EXPECT_EQ(d.mean, 0.1);
  EXPECT_EQ(d.p50, 0.1);
  EXPECT_EQ(d.p99, 0.1);
  EXPECT_LT(d.stddev, 1e-15);
}

// A small spread on a large mean: a one-pass sum of squares would lose it.
TEST(Summarize, StddevIsStable) {
  std::vector<double> samples;
  for (int i = 0; i < 100'000; ++i) samples.push_back(1e6 + (i % 2 == 0 ? 1e-3 : -1e-3));
  EXPECT_NEAR(Summarize(samples).stddev, 1e-3, 1e-9);
}

// Every shape at every size on both sides of the switch to sorting.
TEST(Summarize, EqualsNaiveOnRandomSamples) {
  RngStream rng(7, "percentiles");
  for (const size_t size : {2ul, 3ul, 7ul, 255ul, 256ul, 257ul, 1000ul, 20'000ul}) {
    SCOPED_TRACE("size " + std::to_string(size));
    std::vector<double> uniform, exponential, heavy, ties, mixed, wide;
    for (size_t i = 0; i < size; ++i) {
      uniform.push_back(rng.Uniform());
      exponential.push_back(std::floor(rng.Exponential(1) * 1e9) * 1e-9);
      heavy.push_back(std::exp(4 * rng.Normal()));
      ties.push_back(static_cast<double>(rng.Below(3)));
      mixed.push_back(rng.Below(10) == 0 ? 1e9 * rng.Uniform() : 1e-9 * rng.Uniform());
      wide.push_back(std::pow(10.0, 600 * rng.Uniform() - 300));
    }
    for (const auto* samples : {&uniform, &exponential, &heavy, &ties, &mixed}) {
      ExpectNaive(*samples);
    }
    // Sums of squares would overflow; percentiles must not mind.
    for (const double percent : {1.0, 50.0, 90.0, 99.9}) {
      EXPECT_EQ(Percentile(wide, percent), NaivePercentile(wide, percent));
    }
  }
}

TEST(Summarize, PercentilesDoNotDependOnTheOrder) {
  RngStream rng(8, "percentiles");
  std::vector<double> samples;
  for (int i = 0; i < 5000; ++i) samples.push_back(rng.Exponential(3));
  const Distribution d = Summarize(samples);
  std::sort(samples.begin(), samples.end());
  const Distribution sorted = Summarize(samples);
  std::reverse(samples.begin(), samples.end());
  const Distribution reversed = Summarize(samples);
  for (const Distribution& other : {sorted, reversed}) {
    EXPECT_EQ(d.p50, other.p50);
    EXPECT_EQ(d.p90, other.p90);
    EXPECT_EQ(d.p99, other.p99);
    EXPECT_NEAR(d.mean, other.mean, 1e-13);
  }
}

}  // namespace
}  // namespace tokensim
