#include <gtest/gtest.h>

#include <algorithm>

#include "engine/policy/global/test_cluster.h"

namespace tokensim {
namespace {

// The largest load after `requests` requests that never end.
int32_t LargestLoad(const char* policy, size_t workers, int requests, uint64_t seed) {
  const auto scheduler = GlobalSchedulers().Make(policy)->Make({.seed = seed});
  TestCluster cluster(workers);
  for (int i = 0; i < requests; ++i) cluster.Send(*scheduler);
  const auto& outstanding = cluster.signals.outstanding;
  return *std::max_element(outstanding.begin(), outstanding.end());
}

TEST(PowerOfTwoTest, TheTwoAreDistinct) {
  const auto scheduler = Make("power_of_two");
  TestCluster cluster(2);
  cluster.signals.outstanding = {1, 0};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(cluster.Dispatch(*scheduler), 1);
}

// Of k candidates in order of load, the one at rank r (0: most loaded) is the less loaded of a
// pair in r of the k (k - 1) / 2 pairs.
TEST(PowerOfTwoTest, EveryPairIsEquallyLikely) {
  const auto scheduler = Make("power_of_two");
  TestCluster cluster(6);
  cluster.candidates = {0, 2, 3, 5};
  cluster.signals.outstanding = {9, 0, 8, 7, 0, 6};
  std::vector<int> count(6);
  for (int i = 0; i < 60'000; ++i) ++count[static_cast<size_t>(cluster.Dispatch(*scheduler))];
  EXPECT_EQ(count[0], 0);
  EXPECT_NEAR(count[2], 10'000, 450);
  EXPECT_NEAR(count[3], 20'000, 550);
  EXPECT_NEAR(count[5], 30'000, 600);
}

TEST(PowerOfTwoTest, AnIdleClusterIsUsedEvenly) {
  const auto scheduler = Make("power_of_two");
  TestCluster cluster(4);
  std::vector<int> count(4);
  for (int i = 0; i < 40'000; ++i) ++count[static_cast<size_t>(cluster.Dispatch(*scheduler))];
  for (const int c : count) EXPECT_NEAR(c, 10'000, 450);
}

// Mitzenmacher: with n requests on n workers the largest load is ln ln n / ln 2 + O(1), 3.3 + O(1)
// for 10,000; of one random choice it is about ln n / ln ln n, 4.1, times 1 + o(1).
TEST(PowerOfTwoTest, LargestLoadIsFarBelowThatOfOneChoice) {
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    const int32_t two = LargestLoad("power_of_two", 10'000, 10'000, seed);
    const int32_t one = LargestLoad("random", 10'000, 10'000, seed);
    EXPECT_LE(two, 4);
    EXPECT_GE(one, 6);
    // Berenbrink et al. 2000: the gap to the mean stays that small however many requests come; of
    // one choice it grows with their square root.
    EXPECT_LE(LargestLoad("power_of_two", 100, 100'000, seed), 1'000 + 4);
    EXPECT_GE(LargestLoad("random", 100, 100'000, seed), 1'000 + 40);
  }
}

}  // namespace
}  // namespace tokensim
