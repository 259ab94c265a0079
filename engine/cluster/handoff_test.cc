// Prompts on one worker, tokens on another: small enough to work out by hand, at the costs of
// test_plan.h.
#include <gtest/gtest.h>

#include <memory>

#include "engine/cluster/test_plan.h"
#include "engine/policy/global/registry.h"
#include "engine/policy/local/registry.h"

namespace tokensim {
namespace {

TEST(HandoffTest, PrefilledRequestDecodesWhereItsCacheArrives) {
  // Prefill [0, 15), cache there at 18, decodes [18, 30) and [30, 42).
  const Results results =
      RunPlan(MakePlan({{0, 5, 3}}, {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode)}));
  const RequestRecord& r = results.records[0];
  EXPECT_EQ(r.first_token, 15 * kMs);
  EXPECT_EQ(r.finish, 42 * kMs);
  EXPECT_EQ(r.max_itl, 15 * kMs);
  EXPECT_EQ(r.prefill_worker, 0);
  EXPECT_EQ(r.worker, 1);
  EXPECT_EQ(r.kv_transfer, 3 * kMs);
  EXPECT_EQ(results.workers[0].prefilled, 1);
  EXPECT_EQ(results.workers[1].finished, 1);
  ASSERT_EQ(results.links.size(), 2u);  // out of one, into the other
  EXPECT_EQ(results.links[0].bytes, 5000);
}

TEST(HandoffTest, OneTokenOutputsEndWithTheirPrefill) {
  const Results results =
      RunPlan(MakePlan({{0, 5, 1}}, {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode)}));
  EXPECT_EQ(results.records[0].finish, 15 * kMs);
  EXPECT_EQ(results.records[0].worker, 0);
  EXPECT_TRUE(results.links.empty());
}

TEST(HandoffTest, FullDecodeMemoryHoldsUpThePrefillWorker) {
  // The decode worker has room for one. 0 loads [20, 23), decodes until 47; only then 1 loads. The
  // prefill worker's four blocks are free again when the caches have arrived: 2, arriving at 21,
  // starts at 23.
  const Results results =
      RunPlan(MakePlan({{0, 5, 3}, {0, 5, 3}, {21 * kMs, 5, 1}},
                       {MakeWorker(Role::kPrefill, 4), MakeWorker(Role::kDecode, 2)}));
  EXPECT_EQ(results.records[0].finish, 47 * kMs);
  EXPECT_EQ(results.records[1].first_token, 20 * kMs);
  EXPECT_EQ(results.records[1].finish, 74 * kMs);
  EXPECT_EQ(results.records[1].max_itl, 42 * kMs);
  EXPECT_EQ(results.records[2].scheduled, 23 * kMs);
  EXPECT_EQ(results.records[2].finish, 38 * kMs);
}

TEST(HandoffTest, ABlockedPrefillWorkerCountsWhatItHas) {
  // The run above. Worker 0 runs two requests [0, 20) and one [23, 38); 2 waits [21, 23); it holds
  // 0 until 23 and 1 until 50. Four blocks until 38, then the two of request 1. Worker 1 loads
  // [20, 23) and [47, 50), runs [23, 47) and [50, 74); 1 waits there [20, 47).
  const Results results =
      RunPlan(MakePlan({{0, 5, 3}, {0, 5, 3}, {21 * kMs, 5, 1}},
                       {MakeWorker(Role::kPrefill, 4), MakeWorker(Role::kDecode, 2)}));
  const OccupancyIntegral& prefill = results.workers[0].occupancy;
  EXPECT_EQ(Ms(prefill.running), 2 * 20 + 15);
  EXPECT_EQ(Ms(prefill.waiting), 2);
  EXPECT_EQ(Ms(prefill.loading), 0);
  EXPECT_EQ(Ms(prefill.held), 3 + 30);
  EXPECT_EQ(Ms(prefill.kv_blocks), 4 * 38 + 2 * 12);
  EXPECT_EQ(results.workers[0].busy, 35 * kMs);
  EXPECT_EQ(results.workers[0].max_running, 2);
  const OccupancyIntegral& decode = results.workers[1].occupancy;
  EXPECT_EQ(Ms(decode.running), 24 + 24);
  EXPECT_EQ(Ms(decode.waiting), 27);
  EXPECT_EQ(Ms(decode.loading), 3 + 3);
  EXPECT_EQ(Ms(decode.held), 0);
  EXPECT_EQ(Ms(decode.kv_blocks), 2 * 54);
  // Together the 47 + 74 + 17 ms that the three were here.
  ASSERT_EQ(results.timelines[0].interval, kMs);
  EXPECT_EQ(results.timelines[0].held.size(), results.timelines[0].running.size());
  EXPECT_EQ(results.timelines[0].held[19], 0);
  EXPECT_EQ(results.timelines[0].held[22], 2);
  EXPECT_EQ(results.timelines[0].held[49], 1);
  EXPECT_EQ(results.timelines[0].held[50], 0);
  EXPECT_EQ(results.timelines[0].kv_blocks_used[45], 2);
  EXPECT_EQ(results.timelines[1].loading[48], 1);
  EXPECT_TRUE(results.timelines[1].held.empty());
}

TEST(HandoffTest, HandedOnRequestsQueueForAWorkerThatDecodes) {
  // The same run: 1 waits [20, 47) before its cache moves [47, 50). 2 ends with its first token.
  const Results results =
      RunPlan(MakePlan({{0, 5, 3}, {0, 5, 3}, {21 * kMs, 5, 1}},
                       {MakeWorker(Role::kPrefill, 4), MakeWorker(Role::kDecode, 2)}));
  EXPECT_EQ(results.records[0].decode_queueing, 0);
  EXPECT_EQ(results.records[1].decode_queueing, 27 * kMs);
  EXPECT_EQ(results.records[1].kv_transfer, 3 * kMs);
  EXPECT_EQ(results.records[2].decode_queueing, kUnset);
}

TEST(HandoffTest, WithoutACacheTheDecodeQueueEndsWithTheSchedule) {
  // Both prefill [0, 20) and go on without cache. One slot: 0 computes 6 tokens [20, 36), decodes
  // [36, 48); then 1.
  auto plan =
      MakePlan({{0, 5, 3}, {0, 5, 3}}, {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode)});
  plan->workers[0].drops_cache = true;
  plan->workers[1].scheduler.max_num_seqs = 1;
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[0].decode_queueing, 0);
  EXPECT_EQ(results.records[0].finish, 48 * kMs);
  EXPECT_EQ(results.records[1].decode_queueing, 28 * kMs);
  EXPECT_EQ(results.records[1].kv_transfer, kUnset);
}

TEST(HandoffTest, MaxMemoryRatioAppliesWhereARequestHasNotRun) {
  // As with the decode worker of two blocks: of four, requests that come may take half.
  for (const TransferMode mode : {TransferMode::kSequential, TransferMode::kLayerwise}) {
    auto plan = MakePlan({{0, 5, 3}, {0, 5, 3}},
                         {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode, 4)});
    plan->network.mode = mode;
    plan->workers[1].scheduler.max_memory_ratio = 0.5;
    const Results results = RunPlan(plan);
    EXPECT_EQ(results.records[0].finish, 47 * kMs);
    EXPECT_EQ(results.records[0].decode_queueing, 0);
    EXPECT_EQ(results.records[1].decode_queueing, 27 * kMs);
    EXPECT_EQ(results.records[1].finish, 74 * kMs);
  }
}

TEST(HandoffTest, LeastWorkOfTransfersIsInKvTokens) {
  // 20, 4 and 5 tokens are prefilled together: to worker 1, to 2, which has none, and to 2, which
  // has 4. When all are done the next goes to 1 again.
  for (const TransferMode mode : {TransferMode::kSequential, TransferMode::kLayerwise}) {
    auto plan = MakePlan(
        {{0, 20, 3}, {0, 4, 3}, {0, 5, 3}, {1000 * kMs, 4, 3}},
        {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode), MakeWorker(Role::kDecode)});
    plan->network.mode = mode;
    plan->transfer_scheduler = GlobalSchedulers().Make("least_work");
    const Results results = RunPlan(plan);
    EXPECT_EQ(results.records[0].worker, 1);
    EXPECT_EQ(results.records[1].worker, 2);
    EXPECT_EQ(results.records[2].worker, 2);
    EXPECT_EQ(results.records[3].worker, 1);
  }
}

TEST(HandoffTest, APromptRunsWhileTheCacheBeforeItLoads) {
  // 0 and 3 wait for worker 1, busy until 20. Then 0 loads [20, 23); the batch is empty, so 3 runs
  // although it is above the limit.
  auto plan = MakePlan({{0, 5, 3}, {0, 10, 1}, {16 * kMs, 1, 1}, {16 * kMs, 5, 1}},
                       {MakeWorker(Role::kPrefill), MakeWorker(Role::kBoth)});
  plan->workers[1].scheduler.policy = LocalSchedulers().Make("orca");
  plan->workers[1].scheduler.max_num_batched_tokens = 4;
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[0].kv_transfer, 3 * kMs);
  EXPECT_EQ(results.records[3].scheduled, 20 * kMs);
}

TEST(HandoffTest, DroppedCachesMakeRoomForTheNextBatch) {
  // 0 has two of three blocks until 15, when they are free for 2.
  auto plan = MakePlan({{0, 5, 2}, {1 * kMs, 4, 2}, {2 * kMs, 5, 2}},
                       {MakeWorker(Role::kPrefill, 3), MakeWorker(Role::kDecode)});
  plan->workers[0].drops_cache = true;
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[1].scheduled, 15 * kMs);
  EXPECT_EQ(results.records[2].scheduled, 15 * kMs);
}

TEST(HandoffTest, LayersLeaveWhileThePromptIsComputed) {
  // Five layers, done at 3, 6, 9, 12 and 15 ms, each 1 ms on the link: all there at 16.
  auto plan = MakePlan({{0, 5, 2}}, {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode)});
  plan->workers[0].num_layers = 5;
  plan->network.mode = TransferMode::kLayerwise;
  plan->network.intra_node = {.bandwidth_bytes_per_second = 1e6};
  const Results layerwise = RunPlan(plan);
  EXPECT_EQ(layerwise.records[0].finish, 28 * kMs);
  EXPECT_EQ(layerwise.records[0].kv_transfer, 1 * kMs);
  auto sequential = std::make_shared<Plan>(*plan);
  sequential->network.mode = TransferMode::kSequential;
  EXPECT_EQ(RunPlan(sequential).records[0].finish, 32 * kMs);
}

TEST(HandoffTest, LayersLeaveWithoutTheFirstTokenOfBatchesFormedAhead) {
  // When the iteration starts its first token is reckoned with; the cache is the prompt's, 1 block.
  auto plan = MakePlan({{0, 4, 3}}, {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode)});
  plan->workers[0].num_layers = 4;
  plan->workers[0].scheduler.async_depth = 2;
  plan->network.mode = TransferMode::kLayerwise;
  plan->network.intra_node = {.bandwidth_bytes_per_second = 1e6};
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[0].first_token, 14 * kMs);
  EXPECT_EQ(results.records[0].kv_transfer, 1 * kMs);
  EXPECT_EQ(results.records[0].finish, 39 * kMs);
  ASSERT_FALSE(results.links.empty());
  EXPECT_EQ(results.links[0].bytes, 4000);
}

TEST(HandoffTest, AFullDecodeWorkerHandsItsLastRequestOn) {
  // Two decode workers of 12 blocks; the first gets three requests that grow, the other none.
  auto plan = MakePlan({{0, 8, 40}, {0, 8, 40}, {0, 8, 40}},
                       {MakeWorker(Role::kBoth, 14), MakeWorker(Role::kBoth, 100)});
  plan->workers[1].serving = false;
  plan->worker_events = {
      {.time = 30 * kMs, .action = WorkerAction::kScaleUp, .first_worker = 0, .group_size = 2}};
  const Results without = RunPlan(plan);
  EXPECT_GT(without.workers[0].preemptions, 0);
  plan->migrate_on_pressure = true;
  const Results with = RunPlan(plan);
  EXPECT_EQ(with.workers[0].preemptions, 0);
  EXPECT_GT(with.migrations, 0);
  EXPECT_LT(with.end_time, without.end_time);
}

}  // namespace
}  // namespace tokensim
