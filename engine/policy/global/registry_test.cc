// What holds for every policy, and the policies without a signal.
#include "engine/policy/global/registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/rng.h"
#include "engine/policy/global/test_cluster.h"

namespace tokensim {
namespace {

class RandomHits final : public PrefixProbe {
 public:
  explicit RandomHits(RngStream& rng) : rng_(rng) {}
  [[nodiscard]] int32_t HitTokens(int32_t /*worker*/) const override {
    return static_cast<int32_t>(rng_.Below(200));
  }

 private:
  RngStream& rng_;
};

// A random state of a random number of workers, of which some are candidates.
void Shuffle(RngStream& rng, TestCluster* cluster) {
  const size_t workers = cluster->signals.outstanding.size();
  cluster->candidates.clear();
  const uint64_t share = rng.Below(5);  // 0: all
  for (size_t w = 0; w < workers; ++w) {
    cluster->signals.outstanding[w] = static_cast<int32_t>(rng.Below(20));
    cluster->signals.waiting[w] = static_cast<int32_t>(rng.Below(5));
    cluster->signals.outstanding_tokens[w] = static_cast<int64_t>(rng.Below(5'000));
    cluster->signals.kv_used[w] = static_cast<int64_t>(rng.Below(101));
    if (share == 0 || rng.Below(5) < share) cluster->candidates.push_back(static_cast<int32_t>(w));
  }
  if (cluster->candidates.empty()) {
    cluster->candidates.push_back(static_cast<int32_t>(rng.Below(workers)));
  }
}

TestRequest RandomRequest(RngStream& rng) {
  return {.input_tokens = static_cast<int32_t>(1 + rng.Below(300)),
          .conversation = static_cast<int64_t>(rng.Below(50)) - 1,
          .prefix_key = rng.Below(20)};
}

class EveryPolicyTest : public ::testing::TestWithParam<const GlobalSchedulerEntry*> {};

TEST_P(EveryPolicyTest, ChoosesACandidate) {
  RngStream rng(1, "test");
  const RandomHits hits(rng);
  for (const size_t workers : {1, 2, 3, 8, 9, 64, 1'000}) {
    const auto scheduler = Make(GetParam()->name);
    TestCluster cluster(workers);
    for (int i = 0; i < 500; ++i) {
      Shuffle(rng, &cluster);
      TestRequest request = RandomRequest(rng);
      if (rng.Below(2) == 0) request.prefix = &hits;
      const int32_t worker = cluster.Dispatch(*scheduler, request);
      ASSERT_TRUE(std::binary_search(cluster.candidates.begin(), cluster.candidates.end(), worker));
    }
  }
}

std::vector<int32_t> Choices(std::string_view policy, uint64_t seed, const char* stream) {
  RngStream rng(5, "test");
  const auto scheduler = GlobalSchedulers().Make(policy)->Make({seed, stream});
  TestCluster cluster(16);
  std::vector<int32_t> choices;
  for (int i = 0; i < 300; ++i) {
    Shuffle(rng, &cluster);
    choices.push_back(cluster.Dispatch(*scheduler, RandomRequest(rng)));
  }
  return choices;
}

TEST_P(EveryPolicyTest, IsAFunctionOfSeedAndStream) {
  const std::string_view policy = GetParam()->name;
  const std::vector<int32_t> choices = Choices(policy, 1, "dispatch");
  EXPECT_EQ(Choices(policy, 1, "dispatch"), choices);
  const bool drawn = policy == "random" || policy == "power_of_two";
  EXPECT_EQ(Choices(policy, 2, "dispatch") != choices, drawn);
  EXPECT_EQ(Choices(policy, 1, "transfer") != choices, drawn);
}

// All workers are alike: the first candidate, whichever that is.
TEST_P(EveryPolicyTest, TiesGoToTheFirstCandidate) {
  const std::string_view policy = GetParam()->name;
  if (policy == "random" || policy == "power_of_two") return;
  TestCluster cluster(40);
  EXPECT_EQ(cluster.Dispatch(*Make(policy), {.conversation = 3}), 0);
  cluster.candidates = {4, 7, 39};
  EXPECT_EQ(cluster.Dispatch(*Make(policy), {.conversation = 3}), 4);
}

std::string PolicyName(const ::testing::TestParamInfo<const GlobalSchedulerEntry*>& policy) {
  return std::string(policy.param->name);
}
INSTANTIATE_TEST_SUITE_P(Policies, EveryPolicyTest,
                         ::testing::ValuesIn(GlobalSchedulers().entries().begin(),
                                             GlobalSchedulers().entries().end()),
                         PolicyName);

TEST(RoundRobinTest, TakesTurns) {
  const auto scheduler = Make("round_robin");
  TestCluster cluster(3);
  cluster.signals.outstanding = {9, 0, 0};
  for (const int32_t expected : {0, 1, 2, 0, 1, 2, 0}) {
    EXPECT_EQ(cluster.Dispatch(*scheduler), expected);
  }
}

TEST(RoundRobinTest, TurnsGoOnWhenCandidatesChange) {
  const auto scheduler = Make("round_robin");
  TestCluster cluster(5);
  EXPECT_EQ(cluster.Dispatch(*scheduler), 0);
  EXPECT_EQ(cluster.Dispatch(*scheduler), 1);
  cluster.candidates = {0, 1, 3, 4};  // 2 fails
  EXPECT_EQ(cluster.Dispatch(*scheduler), 3);
  cluster.candidates = {0, 1, 4};  // 3 too
  EXPECT_EQ(cluster.Dispatch(*scheduler), 4);
  EXPECT_EQ(cluster.Dispatch(*scheduler), 0);
  cluster.candidates = {0, 1, 2, 3, 4};
  EXPECT_EQ(cluster.Dispatch(*scheduler), 1);
  EXPECT_EQ(cluster.Dispatch(*scheduler), 2);
}

TEST(RandomTest, EveryCandidateIsEquallyLikely) {
  const auto scheduler = Make("random");
  TestCluster cluster(8);
  cluster.candidates = {1, 2, 5, 7};
  std::vector<int> count(8);
  for (int i = 0; i < 40'000; ++i) ++count[static_cast<size_t>(cluster.Dispatch(*scheduler))];
  // 10,000 each; the standard deviation is 87.
  for (const int32_t worker : cluster.candidates) {
    EXPECT_NEAR(count[static_cast<size_t>(worker)], 10'000, 450);
  }
}

}  // namespace
}  // namespace tokensim
