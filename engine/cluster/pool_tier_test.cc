#include "engine/cluster/pool_tier.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace tokensim
