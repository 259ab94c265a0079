// least_requests, least_kv, least_work.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/rng.h"
#include "engine/policy/global/test_cluster.h"

namespace tokensim {
namespace {

TEST(LeastRequestsTest, TakesTheFirstOfTheLeast) {
  const auto scheduler = Make("least_requests");
  TestCluster cluster(3);
  cluster.signals.outstanding = {3, 1, 1};
  EXPECT_EQ(cluster.Dispatch(*scheduler), 1);
  cluster.signals.outstanding = {5, 5, 5};
  EXPECT_EQ(cluster.Dispatch(*scheduler), 0);
  cluster.signals.outstanding = {0, 5, 4};
  cluster.candidates = {1, 2};
  EXPECT_EQ(cluster.Dispatch(*scheduler), 2);
}

TEST(LeastWorkTest, CountsPromptTokens) {
  const auto scheduler = Make("least_work");
  TestCluster cluster(3);
  cluster.signals.outstanding = {1, 9, 1};
  cluster.signals.outstanding_tokens = {3'000'000'000, 100, 2'999'999'999};
  EXPECT_EQ(cluster.Dispatch(*scheduler), 1);
  cluster.candidates = {0, 2};
  EXPECT_EQ(cluster.Dispatch(*scheduler), 2);
}

// As Splitwise, which has a queue in tokens for prompts and one for caches.
TEST(LeastWorkTest, CountsKvTokensForTransfers) {
  const auto scheduler = Make("least_work");
  TestCluster cluster(3);
  cluster.signals.outstanding_tokens = {0, 0, 1};
  cluster.signals.outstanding_kv_tokens = {3'000'000'000, 200, 100};
  EXPECT_EQ(cluster.Dispatch(*scheduler), 0);
  EXPECT_EQ(cluster.Dispatch(*scheduler, {.transfer = true}), 2);
}

TEST(LeastKvTest, ComparesShares) {
  const auto scheduler = Make("least_kv");
  TestCluster cluster(3);
  cluster.signals.kv_used = {50, 60, 40};
  EXPECT_EQ(cluster.Dispatch(*scheduler), 2);
  cluster.signals.kv_total = {100, 200, 60};  // 0.5, 0.3, 0.67
  EXPECT_EQ(cluster.Dispatch(*scheduler), 1);
  cluster.candidates = {0, 2};
  EXPECT_EQ(cluster.Dispatch(*scheduler), 0);
}

TEST(LeastKvTest, IsExact) {
  const auto scheduler = Make("least_kv");
  TestCluster cluster(2);
  // 1/3 twice: a tie, whatever 1/3 is in binary.
  cluster.signals.kv_used = {333'333'333'333, 1};
  cluster.signals.kv_total = {999'999'999'999, 3};
  EXPECT_EQ(cluster.Dispatch(*scheduler), 0);
  // (n + 1) / (n + 2) is more than n / (n + 1) by one part in 10^24.
  constexpr int64_t n = 999'999'999'998;
  cluster.signals.kv_used = {n + 1, n};
  cluster.signals.kv_total = {n + 2, n + 1};
  EXPECT_EQ(cluster.Dispatch(*scheduler), 1);
}

// Against the plain definition, with every length of the vectorised loop's tail.
TEST(LeastTest, FindsTheFirstMinimum) {
  RngStream rng(1, "test");
  for (size_t workers = 1; workers <= 70; ++workers) {
    TestCluster cluster(workers);
    for (int i = 0; i < 20; ++i) {
      for (int32_t& value : cluster.signals.outstanding) {
        value = static_cast<int32_t>(rng.Below(workers));
      }
      for (int64_t& value : cluster.signals.kv_used) value = static_cast<int64_t>(rng.Below(101));
      const auto& outstanding = cluster.signals.outstanding;
      EXPECT_EQ(cluster.Dispatch(*Make("least_requests")),
                std::min_element(outstanding.begin(), outstanding.end()) - outstanding.begin());
      const auto& used = cluster.signals.kv_used;
      EXPECT_EQ(cluster.Dispatch(*Make("least_kv")),
                std::min_element(used.begin(), used.end()) - used.begin());
    }
  }
}

}  // namespace
}  // namespace tokensim
