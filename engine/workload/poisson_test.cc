#include "engine/workload/poisson.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/workload/test_traffic.h"

namespace tokensim {
namespace {

constexpr int kDraws = 200'000;

// Sample mean and variance are within five standard errors of what they shall be: of a Poisson
// distribution, sqrt(mean / n) and, relative to the mean, sqrt((2 + 1 / mean) / n).
TEST(PoissonSampler, MeanAndVariance) {
  for (const double mean : {0.3, 1.0, 4.5, 9.99, 10.0, 12.5, 128.0, 1'000.0, 2.5e6, 1e9}) {
    RngStream rng(11, "poisson");
    const PoissonSampler sampler(mean);
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double x = sampler.Draw(rng);
      ASSERT_GE(x, 0);
      ASSERT_EQ(x, std::floor(x));
      sum += x - mean;
      squares += (x - mean) * (x - mean);
    }
    const double variance = squares / kDraws - (sum / kDraws) * (sum / kDraws);
    EXPECT_LT(std::abs(sum / kDraws), 5 * std::sqrt(mean / kDraws)) << mean;
    EXPECT_LT(std::abs(variance / mean - 1), 5 * std::sqrt((2 + 1 / mean) / kDraws)) << mean;
  }
}

// Every number comes as often as e^-m m^k / k! says, on both sides of the change of methods.
TEST(PoissonSampler, Probabilities) {
  for (const double mean : {2.0, 9.5, 10.5, 30.0}) {
    RngStream rng(5, "poisson");
    const PoissonSampler sampler(mean);
    std::vector<int> counts(100);
    for (int i = 0; i < kDraws; ++i) ++counts[static_cast<size_t>(sampler.Draw(rng))];
    double probability = std::exp(-mean);
    for (size_t k = 0; k < counts.size(); ++k) {
      const double expected = kDraws * probability;
      const double error = std::sqrt(expected * (1 - probability)) + 1;
      EXPECT_LT(std::abs(counts[k] - expected), 5 * error) << mean << " " << k;
      probability *= mean / static_cast<double>(k + 1);
    }
  }
}

TEST(PoissonLength, IsClamped) {
  RngStream rng(3, kLengthStream);
  const LengthDistribution small_lengths = PoissonLength{.mean = 0.2};
  const LengthDistribution narrow_lengths = PoissonLength{.mean = 100, .min = 95, .max = 105};
  const auto small = small_lengths.sampler->Make({small_lengths.table});
  const auto narrow = narrow_lengths.sampler->Make({narrow_lengths.table});
  int32_t lowest = 1'000;
  int32_t highest = 0;
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_GE(small->Draw(rng), 1);
    const int32_t tokens = narrow->Draw(rng);
    lowest = std::min(lowest, tokens);
    highest = std::max(highest, tokens);
  }
  EXPECT_EQ(lowest, 95);
  EXPECT_EQ(highest, 105);
}

}  // namespace
}  // namespace tokensim
