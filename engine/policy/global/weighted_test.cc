#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "engine/base/rng.h"
#include "engine/policy/global/test_cluster.h"

namespace tokensim {
namespace {

class Hits final : public PrefixProbe {
 public:
  explicit Hits(std::vector<int32_t> tokens) : tokens_(std::move(tokens)) {}
  [[nodiscard]] int32_t HitTokens(int32_t worker) const override {
    return tokens_[static_cast<size_t>(worker)];
  }

 private:
  const std::vector<int32_t> tokens_;
};

struct Weights {
  double queue_depth, kv_use, prefix_hit, load;
};

std::unique_ptr<GlobalScheduler> Weighted(const Weights& w) {
  return Make("weighted", {{"weights.queue_depth", w.queue_depth},
                           {"weights.kv_use", w.kv_use},
                           {"weights.prefix_hit", w.prefix_hit},
                           {"weights.load", w.load}});
}

TEST(WeightedTest, EachScoreAlone) {
  TestCluster cluster(4);
  cluster.signals.waiting = {1, 2, 3, 0};
  cluster.signals.outstanding_tokens = {500, 400, 900, 401};
  cluster.signals.kv_used = {50, 60, 30, 70};
  cluster.signals.kv_total = {100, 200, 100, 100};
  const Hits hits({10, 0, 40, 60});
  const TestRequest request = {.input_tokens = 100, .prefix = &hits};
  EXPECT_EQ(cluster.Dispatch(*Weighted({1, 0, 0, 0}), request), 3);
  EXPECT_EQ(cluster.Dispatch(*Weighted({0, 1, 0, 0}), request), 1);  // ties with 2, the first
  EXPECT_EQ(cluster.Dispatch(*Weighted({0, 0, 1, 0}), request), 3);
  EXPECT_EQ(cluster.Dispatch(*Weighted({0, 0, 0, 1}), request), 1);
  cluster.candidates = {0, 2};
  EXPECT_EQ(cluster.Dispatch(*Weighted({1, 0, 0, 0}), request), 0);
  EXPECT_EQ(cluster.Dispatch(*Weighted({0, 1, 0, 0}), request), 2);
  EXPECT_EQ(cluster.Dispatch(*Weighted({0, 0, 1, 0}), request), 2);
  EXPECT_EQ(cluster.Dispatch(*Weighted({0, 0, 0, 1}), request), 0);
}

// The table of docs/routing.md.
TEST(RoutingDocsTest, WorkedTable) {
  TestCluster cluster(3);
  const auto session = Make("session_affinity");
  EXPECT_EQ(cluster.Dispatch(*session, {.conversation = 9}), 0);
  cluster.signals.outstanding = {7, 6, 8};
  cluster.signals.kv_used = {90, 40, 20};
  cluster.signals.outstanding_tokens = {1'000, 2'000, 4'000};
  cluster.signals.waiting = {0, 2, 4};
  const Hits hits({0, 750, 0});
  const TestRequest request = {.input_tokens = 1'000, .conversation = 9, .prefix = &hits};
  EXPECT_EQ(cluster.Dispatch(*Make("least_requests"), request), 1);
  EXPECT_EQ(cluster.Dispatch(*Make("least_kv"), request), 2);
  EXPECT_EQ(cluster.Dispatch(*Make("least_work"), request), 0);
  EXPECT_EQ(cluster.Dispatch(*session, request), 0);
  EXPECT_EQ(cluster.Dispatch(*Weighted({1, 1, 1, 1}), request), 1);
  EXPECT_EQ(cluster.Dispatch(*Weighted({1, 1, 0, 1}), request), 0);
}

TEST(WeightedTest, WithoutPrefixCachesTheirScoreIsNothing) {
  TestCluster cluster(2);
  cluster.signals.waiting = {1, 0};
  EXPECT_EQ(cluster.Dispatch(*Weighted({0.1, 0, 100, 0})), 1);
}

// Against the sum of the documented scores. A choice whose sum is as great but for rounding is
// good.
TEST(WeightedTest, TakesTheGreatestSum) {
  RngStream rng(1, "test");
  for (int i = 0; i < 2'000; ++i) {
    TestCluster cluster(1 + rng.Below(20));
    WorkerSignals& s = cluster.signals;
    const size_t n = s.waiting.size();
    std::vector<int32_t> tokens(n);
    double waiting = 0, load = 0;
    for (size_t w = 0; w < n; ++w) {
      s.waiting[w] = static_cast<int32_t>(rng.Below(4));
      s.outstanding_tokens[w] = static_cast<int64_t>(rng.Below(1'000));
      s.kv_used[w] = static_cast<int64_t>(rng.Below(101));
      tokens[w] = static_cast<int32_t>(rng.Below(200));
      waiting = std::max<double>(waiting, s.waiting[w]);
      load = std::max(load, static_cast<double>(s.outstanding_tokens[w]));
    }
    const Weights weights = {rng.Uniform(), rng.Uniform(), rng.Uniform(), rng.Uniform()};
    const auto sum = [&](size_t w) {
      return weights.queue_depth * (waiting > 0 ? 1 - s.waiting[w] / waiting : 1) +
             weights.kv_use * (1 - static_cast<double>(s.kv_used[w]) / 100) +
             weights.prefix_hit * tokens[w] / 200 +
             weights.load *
                 (load > 0 ? 1 - static_cast<double>(s.outstanding_tokens[w]) / load : 1);
    };
    const Hits hits(tokens);
    const int32_t chosen =
        cluster.Dispatch(*Weighted(weights), {.input_tokens = 200, .prefix = &hits});
    for (size_t w = 0; w < n; ++w) {
      EXPECT_GE(sum(static_cast<size_t>(chosen)), sum(w) - 1e-9);
    }
  }
}

TEST(WeightedTest, TheLoadOfATransferIsInKvTokens) {
  const auto scheduler = Weighted({0, 0, 0, 1});
  TestCluster cluster(2);
  cluster.signals.outstanding_tokens = {10, 20};
  cluster.signals.outstanding_kv_tokens = {20, 10};
  EXPECT_EQ(cluster.Dispatch(*scheduler), 0);
  EXPECT_EQ(cluster.Dispatch(*scheduler, {.transfer = true}), 1);
}

}  // namespace
}  // namespace tokensim
