// prefix_affinity and session_affinity.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/base/rng.h"
#include "engine/policy/global/test_cluster.h"

namespace tokensim {
namespace {

constexpr uint64_t kKeys = 20'000;

// The worker of each key on an idle cluster.
std::vector<int32_t> Homes(const TestCluster& cluster) {
  const auto scheduler = Make("prefix_affinity");
  std::vector<int32_t> homes;
  for (uint64_t key = 1; key <= kKeys; ++key) {
    homes.push_back(cluster.Dispatch(*scheduler, {.prefix_key = key}));
  }
  return homes;
}

TEST(PrefixAffinityTest, KeysSpreadEvenly) {
  TestCluster cluster(20);
  std::map<int32_t, int> count;
  for (const int32_t worker : Homes(cluster)) ++count[worker];
  EXPECT_EQ(count.size(), 20U);
  for (const auto& [worker, keys] : count) EXPECT_NEAR(keys, 1'000, 160) << worker;  // 5 sigma
}

// Half of these keys meet no candidate in their random jumps.
TEST(PrefixAffinityTest, FewOfManyWorkersShareTheKeys) {
  TestCluster cluster(1'000);
  cluster.candidates = {0, 100, 200, 300, 400, 500, 600, 700, 800, 900};
  std::map<int32_t, int> count;
  for (const int32_t worker : Homes(cluster)) ++count[worker];
  EXPECT_EQ(count.size(), 10U);
  for (const auto& [worker, keys] : count) EXPECT_NEAR(keys, 2'000, 220) << worker;  // 5 sigma
}

TEST(PrefixAffinityTest, AWorkerThatLeavesMovesOnlyItsOwnKeys) {
  TestCluster cluster(20);
  const std::vector<int32_t> before = Homes(cluster);
  cluster.candidates.erase(cluster.candidates.begin() + 7);
  const std::vector<int32_t> after = Homes(cluster);
  std::map<int32_t, int> moved;
  for (size_t i = 0; i < kKeys; ++i) {
    if (before[i] == 7) {
      ++moved[after[i]];
    } else {
      ASSERT_EQ(after[i], before[i]);
    }
  }
  // They spread over the 19 others, about 53 to each.
  EXPECT_EQ(moved.size(), 19U);
  for (const auto& [worker, keys] : moved) EXPECT_LE(keys, 100) << worker;
}

// However few are candidates: the sets are nested, and a key stays where it can.
TEST(PrefixAffinityTest, AWorkerThatJoinsOnlyTakesKeys) {
  TestCluster cluster(1'000);
  cluster.candidates = {500};
  std::vector<int32_t> before = Homes(cluster);
  for (const int32_t joins : {3, 999, 501, 502, 200, 800, 100, 0}) {
    const auto place =
        std::lower_bound(cluster.candidates.begin(), cluster.candidates.end(), joins);
    cluster.candidates.insert(place, joins);
    const std::vector<int32_t> after = Homes(cluster);
    size_t moved = 0;
    for (size_t i = 0; i < kKeys; ++i) {
      if (after[i] == before[i]) continue;
      ASSERT_EQ(after[i], joins);
      ++moved;
    }
    EXPECT_GT(moved, 0U);
    before = after;
  }
}

TEST(PrefixAffinityTest, WithoutAKeyItTakesTheLeastLoaded) {
  const auto scheduler = Make("prefix_affinity");
  TestCluster cluster(3);
  cluster.signals.outstanding = {3, 2, 1};
  EXPECT_EQ(cluster.Dispatch(*scheduler), 2);
}

// ceil(c (m + 1) / n), for one key, few keys and candidates that come and go.
TEST(PrefixAffinityTest, TheBoundIsNeverExceeded) {
  RngStream rng(1, "test");
  for (const double factor : {1.000001, 1.25, 2.0, 100.0}) {
    const auto scheduler = Make("prefix_affinity", {{"affinity_load_factor", factor}});
    TestCluster cluster(30);
    const std::vector<int32_t> all = cluster.candidates;
    std::vector<int32_t> in_flight;
    for (int i = 0; i < 5'000; ++i) {
      if (i == 2'000) cluster.candidates = {0, 1, 2, 10, 20, 28};
      if (i == 4'000) cluster.candidates = all;
      int64_t total = 0;
      for (const int32_t w : cluster.candidates) {
        total += cluster.signals.outstanding[static_cast<size_t>(w)];
      }
      const auto bound =
          static_cast<int32_t>(std::ceil(factor * static_cast<double>(total + 1) /
                                         static_cast<double>(cluster.candidates.size())));
      const int32_t worker = cluster.Send(*scheduler, {.prefix_key = 1 + rng.Below(3)});
      ASSERT_LE(cluster.signals.outstanding[static_cast<size_t>(worker)], bound);
      in_flight.push_back(worker);
      if (i > 200) {
        const size_t ends = rng.Below(in_flight.size());
        --cluster.signals.outstanding[static_cast<size_t>(in_flight[ends])];
        in_flight[ends] = in_flight.back();
        in_flight.pop_back();
      }
    }
  }
}

// One key under load takes about n / c workers, always the first of its order.
TEST(PrefixAffinityTest, AHotKeySpillsOverInItsOwnOrder) {
  const auto scheduler = Make("prefix_affinity");
  TestCluster cluster(10);
  for (int i = 0; i < 1'000; ++i) cluster.Send(*scheduler, {.prefix_key = 9});
  const auto& outstanding = cluster.signals.outstanding;
  const auto used = std::count_if(outstanding.begin(), outstanding.end(),
                                  [](int32_t requests) { return requests > 0; });
  EXPECT_EQ(used, 5);
  EXPECT_EQ(*std::max_element(outstanding.begin(), outstanding.end()), 200);
}

TEST(SessionAffinityTest, AConversationStays) {
  const auto scheduler = Make("session_affinity");
  TestCluster cluster(4);
  cluster.signals.outstanding = {2, 2, 1, 2};
  EXPECT_EQ(cluster.Dispatch(*scheduler, {.conversation = 5}), 2);
  cluster.signals.outstanding = {2, 1, 2, 2};
  EXPECT_EQ(cluster.Dispatch(*scheduler, {.conversation = 5}), 2);
  EXPECT_EQ(cluster.Dispatch(*scheduler, {.conversation = 6}), 1);
  EXPECT_EQ(cluster.Dispatch(*scheduler, {.conversation = -1}), 1);
}

TEST(SessionAffinityTest, AConversationWithoutItsWorkerMovesForGood) {
  const auto scheduler = Make("session_affinity");
  TestCluster cluster(4);
  cluster.signals.outstanding = {1, 0, 1, 2};
  EXPECT_EQ(cluster.Dispatch(*scheduler, {.conversation = 5}), 1);
  cluster.candidates = {0, 2, 3};
  EXPECT_EQ(cluster.Dispatch(*scheduler, {.conversation = 5}), 0);
  cluster.candidates = {0, 1, 2, 3};
  EXPECT_EQ(cluster.Dispatch(*scheduler, {.conversation = 5}), 0);
}

TEST(SessionAffinityTest, AnOverloadedWorkerIsPassedOver) {
  const auto scheduler = Make("session_affinity");
  TestCluster cluster(4);
  EXPECT_EQ(cluster.Dispatch(*scheduler, {.conversation = 5}), 0);
  // 19 outstanding: at most ceil(2 x 20 / 4) = 10 with the new one.
  cluster.signals.outstanding = {9, 4, 3, 3};
  EXPECT_EQ(cluster.Dispatch(*scheduler, {.conversation = 5}), 0);
  cluster.signals.outstanding = {10, 4, 3, 2};
  EXPECT_EQ(cluster.Dispatch(*scheduler, {.conversation = 5}), 3);
}

}  // namespace
}  // namespace tokensim
