#include "engine/cluster/pool_tier.h"

#include <gtest/gtest.h>

#include <memory>
#include <variant>
#include <vector>

#include "engine/cluster/test_plan.h"
#include "engine/policy/defaults.h"

namespace tokensim {
namespace {

std::shared_ptr<const Plan> PlanWithPool(const MemoryPoolConfig& pool) {
  auto plan = MakePlan({}, {MakeWorker(Role::kBoth)});  // blocks of 4 tokens, 1,000 bytes a token
  plan->memory_pool = pool;
  return WithDefaultPolicies(plan);
}

LiveRequest Turn(int32_t turn, int32_t input, int32_t output = 3) {
  LiveRequest r;
  r.conversation = 7;
  r.turn = turn;
  r.last_turn = false;
  r.input_tokens = input;
  r.output_tokens = output;
  r.worker = 0;
  return r;
}

TEST(PoolTierTest, ATurnFindsWholeBlocksOfTheOneBefore) {
  const auto plan = PlanWithPool({});
  PoolTier pool(*plan);
  pool.EndTurn(Turn(0, 9, 3), /*finished=*/true, 10);  // all but the last token
  EXPECT_EQ(pool.used_bytes(), 11'000);
  LiveRequest next = Turn(1, 30);
  pool.LookUp(&next, 4);
  EXPECT_EQ(next.kv_source, KvSource::kPool);
  EXPECT_EQ(next.kv_tokens, 8);
}

TEST(PoolTierTest, TheLastPromptTokenIsComputed) {
  const auto plan = PlanWithPool({});
  PoolTier pool(*plan);
  pool.EndTurn(Turn(0, 10, 3), /*finished=*/true, 10);
  LiveRequest next = Turn(1, 12);
  pool.LookUp(&next, 4);
  EXPECT_EQ(next.kv_tokens, 8);
}

TEST(PoolTierTest, AFirstTurnAndAStrangerFindNothing) {
  const auto plan = PlanWithPool({});
  PoolTier pool(*plan);
  pool.EndTurn(Turn(0, 9), /*finished=*/true, 10);
  LiveRequest first = Turn(0, 30);
  pool.LookUp(&first, 4);
  EXPECT_EQ(first.kv_source, KvSource::kNone);
  LiveRequest stranger = Turn(1, 30);
  stranger.conversation = 8;
  pool.LookUp(&stranger, 4);
  EXPECT_EQ(stranger.kv_source, KvSource::kNone);
}

TEST(PoolTierTest, WhatIsFetchedStaysUntilItHasCome) {
  const auto plan = PlanWithPool({});
  PoolTier pool(*plan);
  pool.EndTurn(Turn(0, 9), /*finished=*/true, 10);
  LiveRequest next = Turn(1, 30);
  pool.LookUp(&next, 4);
  pool.EndTurn(next, /*finished=*/false, 20);  // rejected: the conversation is over
  EXPECT_GT(pool.used_bytes(), 0);
  pool.FinishFetch(7, next.kv_tokens, 30);
  EXPECT_EQ(pool.used_bytes(), 0);
  Results results;
  pool.Conclude(40, 40, &results);
  EXPECT_EQ(results.pool.hit_tokens, 8);
  EXPECT_EQ(results.pool.max_bytes, 11'000);
}

TEST(PoolTierTest, FetchesThatIterationsWaitForShareTheLink) {
  MemoryPoolConfig config;
  config.load = PoolLoad::kBlocking;
  config.fetch_latency_per_block_seconds = 0.001;
  config.link = {.bandwidth_bytes_per_second = 1e6, .latency_seconds = 0.002};
  const auto plan = PlanWithPool(config);
  PoolTier pool(*plan);
  pool.EndTurn(Turn(0, 9), /*finished=*/true, 0);
  for (int i = 0; i < 2; ++i) {
    LiveRequest next = Turn(1, 30);
    pool.LookUp(&next, 4);
    ASSERT_EQ(next.kv_tokens, 8);
  }
  // Two blocks, 8,000 bytes: 2 ms to find them, 2 ms latency, 8 ms on the link.
  EXPECT_EQ(pool.FetchFromPool(0, 8, 0), 12 * kMs);
  // Its latency passes while the link is busy.
  EXPECT_EQ(pool.FetchFromPool(0, 8, kMs), 20 * kMs);
  pool.FinishBlockingFetch(7, 0, 8, 12 * kMs);
  pool.FinishBlockingFetch(7, 0, 8, 20 * kMs);
  Results results;
  pool.Conclude(40 * kMs, 40 * kMs, &results);
  ASSERT_EQ(results.links.size(), 1u);
  EXPECT_EQ(results.links[0].name, "memory pool");
  EXPECT_EQ(results.links[0].transfers, 2);
  EXPECT_EQ(results.links[0].bytes, 16'000);
  EXPECT_EQ(results.links[0].busy, 20 * kMs);
}

TEST(PoolTierTest, AFetchThatGoesOnAfterTheEndKeptTheLinkBusyUntilThen) {
  MemoryPoolConfig config;
  config.load = PoolLoad::kBlocking;
  config.fetch_latency_per_block_seconds = 0;
  config.link = {.bandwidth_bytes_per_second = 1e6};
  const auto plan = PlanWithPool(config);
  PoolTier pool(*plan);
  pool.EndTurn(Turn(0, 9), /*finished=*/true, 0);
  for (int i = 0; i < 2; ++i) {
    LiveRequest next = Turn(1, 30);
    pool.LookUp(&next, 4);
  }
  EXPECT_EQ(pool.FetchFromPool(0, 8, 0), 8 * kMs);
  pool.FinishBlockingFetch(7, 0, 8, 8 * kMs);
  EXPECT_EQ(pool.FetchFromPool(0, 8, 10 * kMs), 18 * kMs);
  Results results;
  pool.Conclude(13 * kMs, 13 * kMs, &results);
  ASSERT_EQ(results.links.size(), 1u);
  EXPECT_EQ(results.links[0].busy, (8 + 3) * kMs);
}

// Turn 1 has a prompt of 4 + 2 + 4 tokens, of which the pool has a block.
std::shared_ptr<Plan> LayerwisePlan() {
  auto plan = MakePlan({{0, 4, 2}, {50 * kMs, 4, 2}},
                       {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode)});
  auto trace = std::make_shared<TraceTable>(*plan->workload.trace);
  trace->conversation = {7, 7};
  plan->workload.trace = trace;
  plan->workers[0].num_layers = 5;
  plan->network.mode = TransferMode::kLayerwise;
  plan->network.intra_node = {.bandwidth_bytes_per_second = 5e5};
  plan->memory_pool = {.fetch_latency_per_block_seconds = 0.005, .load = PoolLoad::kBlocking};
  return plan;
}

TEST(PoolTierTest, LayersAreComputedAfterTheFetch) {
  // A fetch of 5 ms, then 16 ms of compute, a layer every 3.2 ms, each 4 ms on the link: the last
  // is there 3.2 + 20 ms after the fetch, 7.2 ms after the prompt.
  const Results results = RunPlan(LayerwisePlan());
  const RequestRecord& later = results.records[1];
  EXPECT_EQ(later.cached_tokens, 4);
  EXPECT_EQ(later.first_token - later.scheduled, 21 * kMs);
  EXPECT_EQ(later.kv_transfer, 7'200'000);
}

// The costs of MakeWorker, in one layer of one operator.
class OneOperator final : public ComputeModel {
 public:
  [[nodiscard]] double IterationSeconds(const IterationShape& shape) const override {
    return 0.010 + 0.001 * static_cast<double>(shape.prefill_tokens) + 0.002 * shape.decode_count;
  }
  [[nodiscard]] std::vector<OperatorTime> OperatorTimes(
      const IterationShape& /*shape*/) const override {
    return {{.name = "norm", .layer = 0, .start_seconds = 0.002, .seconds = 0.001}};
  }
};

TEST(PoolTierTest, OperatorsRunAfterTheFetch) {
  class Log final : public Observer {
   public:
    void OnEvent(SimTime /*now*/, const Event& event) override {
      if (const auto* e = std::get_if<OperatorEvent>(&event)) starts.push_back(e->start);
    }
    std::vector<SimTime> starts;
  };
  auto plan = LayerwisePlan();
  plan->workers[0].compute = std::make_shared<const OneOperator>();
  plan->workers[0].breakpoints = {{.after = "norm"}};
  Log log;
  const Results results = RunPlan(plan, &log);
  ASSERT_EQ(log.starts.size(), 2u);
  EXPECT_EQ(log.starts[0], 2 * kMs);
  EXPECT_EQ(log.starts[1], results.records[1].scheduled + 7 * kMs);
}

TEST(PoolTierTest, WhatIsDroppedWasThereUntilThen) {
  const auto plan = PlanWithPool({});
  PoolTier pool(*plan);
  pool.EndTurn(Turn(0, 9), /*finished=*/true, 10 * kMs);
  LiveRequest next = Turn(1, 30);
  pool.LookUp(&next, 4);
  pool.EndTurn(next, /*finished=*/false, 20 * kMs);  // dropped when it is not fetched any more
  pool.Unpin(7, 30 * kMs);
  Results results;
  pool.Conclude(40 * kMs, 40 * kMs, &results);
  ASSERT_EQ(results.pool.bytes.size(), 40u);  // milliseconds
  for (size_t i = 0; i < results.pool.bytes.size(); ++i) {
    EXPECT_DOUBLE_EQ(results.pool.bytes[i], i >= 10 && i < 30 ? 11'000 : 0) << i;
  }
}

}  // namespace
}  // namespace tokensim
