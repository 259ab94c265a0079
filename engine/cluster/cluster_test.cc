// Clusters small enough to work out by hand, at the costs of test_plan.h.
#include "engine/cluster/cluster.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "engine/cluster/test_plan.h"
#include "engine/policy/global/registry.h"
#include "engine/policy/local/registry.h"

namespace tokensim {
namespace {

TEST(ClusterTest, PrefilledRequestDecodesWhereItsCacheArrives) {
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

TEST(ClusterTest, OneTokenOutputsEndWithTheirPrefill) {
  const Results results =
      RunPlan(MakePlan({{0, 5, 1}}, {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode)}));
  EXPECT_EQ(results.records[0].finish, 15 * kMs);
  EXPECT_EQ(results.records[0].worker, 0);
  EXPECT_TRUE(results.links.empty());
}

TEST(ClusterTest, FullDecodeMemoryHoldsUpThePrefillWorker) {
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

// Requests, or blocks, times milliseconds.
int64_t Ms(OccupancyIntegral::Integral integral) { return static_cast<int64_t>(integral / kMs); }

TEST(ClusterTest, ABlockedPrefillWorkerCountsWhatItHas) {
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

TEST(ClusterTest, HandedOnRequestsQueueForAWorkerThatDecodes) {
  // The same run: 1 waits [20, 47) before its cache moves [47, 50). 2 ends with its first token.
  const Results results =
      RunPlan(MakePlan({{0, 5, 3}, {0, 5, 3}, {21 * kMs, 5, 1}},
                       {MakeWorker(Role::kPrefill, 4), MakeWorker(Role::kDecode, 2)}));
  EXPECT_EQ(results.records[0].decode_queueing, 0);
  EXPECT_EQ(results.records[1].decode_queueing, 27 * kMs);
  EXPECT_EQ(results.records[1].kv_transfer, 3 * kMs);
  EXPECT_EQ(results.records[2].decode_queueing, kUnset);
}

TEST(ClusterTest, WithoutACacheTheDecodeQueueEndsWithTheSchedule) {
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

TEST(ClusterTest, MaxMemoryRatioAppliesWhereARequestHasNotRun) {
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

TEST(ClusterTest, LeastWorkOfTransfersIsInKvTokens) {
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

TEST(ClusterTest, APromptRunsWhileTheCacheBeforeItLoads) {
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

TEST(ClusterTest, DroppedCachesMakeRoomForTheNextBatch) {
  // 0 has two of three blocks until 15, when they are free for 2.
  auto plan = MakePlan({{0, 5, 2}, {1 * kMs, 4, 2}, {2 * kMs, 5, 2}},
                       {MakeWorker(Role::kPrefill, 3), MakeWorker(Role::kDecode)});
  plan->workers[0].drops_cache = true;
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[1].scheduled, 15 * kMs);
  EXPECT_EQ(results.records[2].scheduled, 15 * kMs);
}

TEST(ClusterTest, LayersLeaveWhileThePromptIsComputed) {
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

TEST(ClusterTest, LayersLeaveWithoutTheFirstTokenOfBatchesFormedAhead) {
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

TEST(ClusterTest, SwappedCacheComesBackOverTheHostLink) {
  // Three blocks of 4; both prefill [0, 18). The decode of 0 takes the third block; 1 is swapped
  // out, 1 ms for its block: [18, 31), [31, 43). Then 1 is swapped in and decodes: [43, 56), [56,
  // 68).
  WorkerPlan worker = MakeWorker(Role::kBoth, 3);
  worker.scheduler.preemption = PreemptionMode::kSwap;
  worker.host_blocks = 10;
  worker.host_link = {.bandwidth_bytes_per_second = 4e6};
  const Results results = RunPlan(MakePlan({{0, 4, 3}, {0, 4, 3}}, {worker}));
  EXPECT_EQ(results.records[0].finish, 43 * kMs);
  EXPECT_EQ(results.records[1].finish, 68 * kMs);
  EXPECT_EQ(results.records[1].max_itl, 38 * kMs);
  EXPECT_EQ(results.records[1].preemptions, 1);
  EXPECT_EQ(results.workers[0].swapped_out_blocks, 1);
  EXPECT_EQ(results.workers[0].swapped_in_blocks, 1);
  EXPECT_EQ(results.workers[0].max_host_blocks_used, 1);
}

TEST(ClusterTest, AFailedWorkersHostMemoryKeepsItsPeak) {
  WorkerPlan worker = MakeWorker(Role::kBoth, 3);
  worker.scheduler.preemption = PreemptionMode::kSwap;
  worker.host_blocks = 10;
  worker.host_link = {.bandwidth_bytes_per_second = 4e6};
  auto plan = MakePlan({{0, 4, 3}, {0, 4, 3}}, {worker});
  plan->worker_events = {{.time = 30 * kMs, .action = WorkerAction::kFail, .worker = 0}};
  EXPECT_EQ(RunPlan(plan).workers[0].max_host_blocks_used, 1);
}

TEST(ClusterTest, OverlappedSwapsDoNotLengthenIterations) {
  // As above, but 0 ends at 42 and the cache of 1 is back at 43.
  WorkerPlan worker = MakeWorker(Role::kBoth, 3);
  worker.scheduler.preemption = PreemptionMode::kSwap;
  worker.host_blocks = 10;
  worker.host_link = {.bandwidth_bytes_per_second = 4e6};
  worker.overlap_swap = true;
  const Results results = RunPlan(MakePlan({{0, 4, 3}, {0, 4, 3}}, {worker}));
  EXPECT_EQ(results.records[0].finish, 42 * kMs);
  EXPECT_EQ(results.records[1].finish, (43 + 12 + 12) * kMs);
  ASSERT_EQ(results.links.size(), 1u);
  EXPECT_EQ(results.links[0].name, "gpu host");
}

// The milliseconds in which the average is not 0, from the first to the last; all are `value`.
std::pair<int, int> Span(const std::vector<double>& averages, double value) {
  std::pair<int, int> span{-1, -1};
  for (size_t i = 0; i < averages.size(); ++i) {
    if (averages[i] == 0) continue;
    EXPECT_DOUBLE_EQ(averages[i], value) << i;
    if (span.first < 0) span.first = static_cast<int>(i);
    span.second = static_cast<int>(i);
  }
  return span;
}

TEST(ClusterTest, HostMemoryOverTime) {
  // The swaps of the two tests above: out at 18, back at 43.
  WorkerPlan worker = MakeWorker(Role::kBoth, 3);
  worker.scheduler.preemption = PreemptionMode::kSwap;
  worker.host_blocks = 10;
  worker.host_link = {.bandwidth_bytes_per_second = 4e6};
  for (const bool overlap : {false, true}) {
    worker.overlap_swap = overlap;
    const Results results = RunPlan(MakePlan({{0, 4, 3}, {0, 4, 3}}, {worker}));
    ASSERT_EQ(results.timelines[0].interval, kMs);
    EXPECT_EQ(results.timelines[0].stored.size(), results.timelines[0].running.size());
    EXPECT_EQ(Span(results.timelines[0].stored, 1), std::make_pair(18, 42)) << overlap;
  }
  const Results without = RunPlan(MakePlan({{0, 4, 3}, {0, 4, 3}}, {MakeWorker(Role::kBoth, 3)}));
  EXPECT_TRUE(without.timelines[0].stored.empty());
}

TEST(ClusterTest, MemoryPoolOverTime) {
  // Turn 0: [0, 14), [14, 26); the pool keeps 5 tokens. Turn 1 comes 50 ms later with a prompt of
  // 4 + 2 + 4, fetches a whole block in 1 ms, computes 6: [77, 93), [93, 105). Then it is over.
  auto plan = MakePlan({{0, 4, 2}, {50 * kMs, 4, 2}}, {MakeWorker(Role::kBoth)});
  auto trace = std::make_shared<TraceTable>(*plan->workload.trace);
  trace->conversation = {7, 7};
  plan->workload.trace = trace;
  plan->memory_pool = {.fetch_latency_per_block_seconds = 0.001};
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[1].finish, 105 * kMs);
  EXPECT_EQ(results.records[1].cached_tokens, 4);
  EXPECT_EQ(results.pool.hit_tokens, 4);
  EXPECT_EQ(results.pool.max_bytes, 5000);
  ASSERT_EQ(results.timelines[0].interval, kMs);
  EXPECT_EQ(results.pool.bytes.size(), results.timelines[0].running.size());
  EXPECT_EQ(Span(results.pool.bytes, 5000), std::make_pair(26, 104));
}

// Turn 0: [0, 14), [14, 26). X, of no conversation, comes at 60: its prompt [60, 75), a token every
// 12 ms. Turn 1 comes at 76 with a prompt of 4 + 2 + 4, of which the pool has a block.
std::shared_ptr<Plan> BusyPoolPlan(PoolLoad load, double block_seconds) {
  auto plan = MakePlan({{0, 4, 2}, {50 * kMs, 4, 2}, {60 * kMs, 5, 5}}, {MakeWorker(Role::kBoth)});
  auto trace = std::make_shared<TraceTable>(*plan->workload.trace);
  trace->conversation = {7, 7, -1};
  plan->workload.trace = trace;
  plan->memory_pool = {.fetch_latency_per_block_seconds = block_seconds, .load = load};
  return plan;
}

// Of turn 1.
RequestRecord LaterTurn(const Results& results) {
  for (const RequestRecord& r : results.records) {
    if (r.turn == 1) return r;
  }
  ADD_FAILURE() << "no turn 1";
  return {};
}

TEST(ClusterTest, AsynchronousPoolLoadsCostTheIterationTheyRunBeside) {
  // The load begins at 87, beside [87, 99); then 6 tokens and X's decode: [99, 117).
  for (const double seconds : {0.0, 0.001, 0.012}) {
    const RequestRecord r = LaterTurn(RunPlan(BusyPoolPlan(PoolLoad::kAsync, seconds)));
    EXPECT_EQ(r.cached_tokens, 4);
    EXPECT_EQ(r.scheduled, 99 * kMs);
    EXPECT_EQ(r.first_token, 117 * kMs);
    EXPECT_EQ(r.finish, 131 * kMs);
  }
}

TEST(ClusterTest, BlockingPoolLoadsLengthenTheIterationTheyBegin) {
  // 10 + 6 + 2 ms after the block is there, then a decode of both in 14 ms.
  for (const int64_t ms : {0, 1, 12}) {
    const Results results =
        RunPlan(BusyPoolPlan(PoolLoad::kBlocking, static_cast<double>(ms) / 1000));
    const RequestRecord r = LaterTurn(results);
    EXPECT_EQ(r.cached_tokens, 4);
    EXPECT_EQ(r.scheduled, 87 * kMs);
    EXPECT_EQ(r.first_token, (87 + ms + 18) * kMs);
    EXPECT_EQ(r.finish, (87 + ms + 18 + 14) * kMs);
    EXPECT_EQ(results.pool.hit_tokens, 4);
    EXPECT_EQ(Ms(results.workers[0].occupancy.loading), 0);
    EXPECT_TRUE(results.links.empty());
  }
}

TEST(ClusterTest, BlockingPoolLoadsShareTheLink) {
  // 4,000 bytes in 4 ms, after 1 ms for the block and 2 ms on the way: [87, 94), then 18 ms.
  auto plan = BusyPoolPlan(PoolLoad::kBlocking, 0.001);
  plan->memory_pool->link = {
      .name = "store", .bandwidth_bytes_per_second = 1e6, .latency_seconds = 0.002};
  const Results results = RunPlan(plan);
  EXPECT_EQ(LaterTurn(results).first_token, 112 * kMs);
  ASSERT_EQ(results.links.size(), 1u);
  EXPECT_EQ(results.links[0].name, "memory pool store");
  EXPECT_EQ(results.links[0].transfers, 1);
  EXPECT_EQ(results.links[0].bytes, 4000);
  EXPECT_EQ(results.links[0].busy, 7 * kMs);
  EXPECT_EQ(results.links[0].bytes_per_second, 1e6);
  // Two conversations at once: the second cache is there 4 ms after the first.
  auto trace = std::make_shared<TraceTable>(*plan->workload.trace);
  trace->arrival = {0, 0, 50 * kMs, 50 * kMs};
  trace->input_tokens = {4, 4, 4, 4};
  trace->output_tokens = {2, 2, 2, 2};
  trace->conversation = {7, 8, 7, 8};
  plan->workload.num_requests = 4;
  plan->workload.trace = trace;
  // Turns 0: [0, 18), [18, 32). Turns 1 at 82: fetches until 85 + 4 + 4, then 10 + 2 x 6 ms.
  const Results both = RunPlan(plan);
  EXPECT_EQ(LaterTurn(both).first_token, (82 + 11 + 22) * kMs);
  EXPECT_EQ(both.links[0].busy, 11 * kMs);
}

TEST(ClusterTest, FullHostMemoryMeansRecomputation) {
  WorkerPlan worker = MakeWorker(Role::kBoth, 3);
  worker.scheduler.preemption = PreemptionMode::kSwap;
  const Results results = RunPlan(MakePlan({{0, 4, 3}, {0, 4, 3}}, {worker}));
  EXPECT_EQ(results.workers[0].swapped_out_blocks, 0);
  EXPECT_EQ(results.records[1].finish, (57 + 12) * kMs);
}

TEST(ClusterTest, BatchesFormedAheadTakeArrivalsOneIterationLater) {
  // 0: [0, 15), [15, 27). 1 arrives at 5, when [15, 27) has been formed; it is scheduled at 15 for
  // the iteration [27, 44), with the last token of 0.
  WorkerPlan worker = MakeWorker(Role::kBoth);
  worker.scheduler.async_depth = 2;
  const Results results = RunPlan(MakePlan({{0, 5, 3}, {5 * kMs, 5, 1}}, {worker}));
  EXPECT_EQ(results.records[0].finish, 44 * kMs);
  EXPECT_EQ(results.records[0].max_itl, 17 * kMs);
  EXPECT_EQ(results.records[1].queued, 15 * kMs);
  EXPECT_EQ(results.records[1].scheduled, 15 * kMs);
  EXPECT_EQ(results.records[1].first_token, 44 * kMs);
}

TEST(ClusterTest, BatchesFormedAheadKeepTheSlotOfALastToken) {
  // One slot. 0 ends at 27; the batch formed at 15 could not take 1, which waits until then.
  WorkerPlan worker = MakeWorker(Role::kBoth);
  worker.scheduler.async_depth = 2;
  worker.scheduler.max_num_seqs = 1;
  const Results results = RunPlan(MakePlan({{0, 5, 2}, {5 * kMs, 5, 1}}, {worker}));
  EXPECT_EQ(results.records[0].finish, 27 * kMs);
  EXPECT_EQ(results.records[1].scheduled, 27 * kMs);
  EXPECT_EQ(results.records[1].finish, 42 * kMs);
}

TEST(ClusterTest, RequestsOfAFailedWorkerBeginAgainElsewhere) {
  // 0 runs on worker 0, which fails during [15, 27): its two tokens are out, its cache is lost. It
  // prefills 7 tokens beside the decode of 1: [27, 46).
  auto plan = MakePlan({{0, 5, 3}, {0, 5, 3}}, {MakeWorker(Role::kBoth), MakeWorker(Role::kBoth)});
  plan->worker_events = {{.time = 20 * kMs, .action = WorkerAction::kFail, .worker = 0}};
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[0].finish, 46 * kMs);
  EXPECT_EQ(results.records[0].max_itl, 19 * kMs);
  EXPECT_EQ(results.records[0].worker, 1);
  EXPECT_EQ(results.records[1].finish, 46 * kMs);
  EXPECT_EQ(results.redispatched, 1);
  EXPECT_EQ(results.workers[0].unavailable, 26 * kMs);
}

TEST(ClusterTest, RequestsWaitForAWorkerToRecover) {
  auto plan = MakePlan({{0, 5, 3}, {50 * kMs, 5, 1}}, {MakeWorker(Role::kBoth)});
  plan->worker_events = {
      {.time = 20 * kMs, .action = WorkerAction::kFail, .worker = 0},
      {.time = 100 * kMs, .action = WorkerAction::kRecover, .worker = 0, .delay = 50 * kMs}};
  const Results results = RunPlan(plan);
  // Both prefill at 150: 7 and 5 tokens.
  EXPECT_EQ(results.records[0].finish, 172 * kMs);
  EXPECT_EQ(results.records[1].finish, 172 * kMs);
  EXPECT_EQ(results.workers[0].unavailable, 130 * kMs);
}

TEST(ClusterTest, AStartBelongsToItsRecovery) {
  // The first recovery would have the worker serve at 60, but it fails at 30; the second at 90.
  auto plan = MakePlan({{55 * kMs, 5, 1}}, {MakeWorker(Role::kBoth)});
  plan->worker_events = {
      {.time = 10 * kMs, .action = WorkerAction::kFail, .worker = 0},
      {.time = 20 * kMs, .action = WorkerAction::kRecover, .worker = 0, .delay = 40 * kMs},
      {.time = 30 * kMs, .action = WorkerAction::kFail, .worker = 0},
      {.time = 50 * kMs, .action = WorkerAction::kRecover, .worker = 0, .delay = 40 * kMs}};
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[0].scheduled, 90 * kMs);
  EXPECT_EQ(results.workers[0].unavailable, 80 * kMs);
}

TEST(ClusterTest, AWorkerThatFailsWhileItStartsStaysDown) {
  // Nothing is left at 40 that could bring a worker.
  auto plan = MakePlan({{40 * kMs, 5, 1}}, {MakeWorker(Role::kBoth)});
  plan->worker_events = {
      {.time = 10 * kMs, .action = WorkerAction::kFail, .worker = 0},
      {.time = 20 * kMs, .action = WorkerAction::kRecover, .worker = 0, .delay = 40 * kMs},
      {.time = 30 * kMs, .action = WorkerAction::kFail, .worker = 0}};
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[0].reject_reason, RejectReason::kNoWorker);
  EXPECT_EQ(results.records[0].finish, 40 * kMs);
  EXPECT_EQ(results.end_time, 40 * kMs);
  EXPECT_EQ(results.workers[0].unavailable, 30 * kMs);
}

TEST(ClusterTest, WhatAFailedWorkerHadToSwapIsForgotten) {
  // The cache of 0 loads [26, 126) into two of the four blocks of worker 1, so 1 is swapped out at
  // 62 and nothing is left to run, until the worker fails at 70. From 80 on the cache of 0 loads
  // again; at 180 its decode takes 12 ms, without the swap of 1.
  WorkerPlan worker = MakeWorker(Role::kBoth, 4);
  worker.scheduler.preemption = PreemptionMode::kSwap;
  worker.host_blocks = 10;
  worker.host_link = {.bandwidth_bytes_per_second = 4e6};
  auto plan = MakePlan({{0, 5, 2}, {0, 4, 9}}, {MakeWorker(Role::kPrefill), worker});
  plan->network.intra_node = {.latency_seconds = 0.100};
  plan->worker_events = {{.time = 70 * kMs, .action = WorkerAction::kFail, .worker = 1},
                         {.time = 80 * kMs, .action = WorkerAction::kRecover, .worker = 1}};
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.workers[1].swapped_out_blocks, 2);
  EXPECT_EQ(results.records[0].finish, 192 * kMs);
}

TEST(ClusterTest, BlocksThatAFailedWorkerPromisedAreFreeAgain) {
  // The second turn fetches a block [76, 77) of the three that it needs; the worker fails
  // meanwhile. From 80 on it fetches again, and computes six tokens: [81, 97), [97, 109).
  auto plan = MakePlan({{0, 4, 2}, {50 * kMs, 4, 2}}, {MakeWorker(Role::kBoth, 3)});
  auto trace = std::make_shared<TraceTable>(*plan->workload.trace);
  trace->conversation = {7, 7};
  plan->workload.trace = trace;
  plan->memory_pool = {.fetch_latency_per_block_seconds = 0.001};
  plan->worker_events = {{.time = 76 * kMs + kMs / 2, .action = WorkerAction::kFail, .worker = 0},
                         {.time = 80 * kMs, .action = WorkerAction::kRecover, .worker = 0}};
  const Results results = RunPlan(plan);
  ASSERT_EQ(results.records.size(), 2u);
  EXPECT_EQ(results.records[1].finish, 109 * kMs);
  EXPECT_EQ(results.redispatched, 1);
}

TEST(ClusterTest, WithoutAnyWorkerRequestsAreRejectedInTheEnd) {
  auto plan = MakePlan({{0, 5, 3}, {50 * kMs, 5, 1}}, {MakeWorker(Role::kBoth)});
  plan->worker_events = {{.time = 20 * kMs, .action = WorkerAction::kFail, .worker = 0}};
  const Results results = RunPlan(plan);
  ASSERT_EQ(results.records.size(), 2u);
  for (const RequestRecord& r : results.records) {
    EXPECT_EQ(r.reject_reason, RejectReason::kNoWorker);
  }
}

TEST(ClusterTest, WithoutAnyDecodeWorkerPrefilledRequestsMakeWayInTheEnd) {
  // The prefill worker has room for one of them. 0 keeps its blocks until no event is left that
  // could bring a decode worker, then 1 runs.
  auto plan =
      MakePlan({{0, 5, 3}, {0, 5, 3}}, {MakeWorker(Role::kPrefill, 2), MakeWorker(Role::kDecode)});
  plan->worker_events = {{.time = 5 * kMs, .action = WorkerAction::kFail, .worker = 1},
                         {.time = 40 * kMs, .action = WorkerAction::kFail, .worker = 1}};
  for (const SimTime delay : {0 * kMs, 7 * kMs}) {
    plan->signal_delay = delay;
    const Results results = RunPlan(plan);
    ASSERT_EQ(results.records.size(), 2u);
    EXPECT_EQ(results.records[0].reject_reason, RejectReason::kNoWorker);
    EXPECT_EQ(results.records[0].finish, 40 * kMs);
    EXPECT_EQ(results.records[1].reject_reason, RejectReason::kNoWorker);
    EXPECT_EQ(results.records[1].finish, 55 * kMs);
  }
}

TEST(ClusterTest, ARequestWithoutDecodeWorkerMayLoseItsSenderToo) {
  auto plan = MakePlan({{0, 5, 3}}, {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode)});
  plan->worker_events = {{.time = 5 * kMs, .action = WorkerAction::kFail, .worker = 1},
                         {.time = 20 * kMs, .action = WorkerAction::kFail, .worker = 0}};
  const Results results = RunPlan(plan);
  ASSERT_EQ(results.records.size(), 1u);
  EXPECT_EQ(results.records[0].reject_reason, RejectReason::kNoWorker);
}

TEST(ClusterTest, ScaledDownWorkersFinishWhatTheyHave) {
  auto plan = MakePlan({{0, 5, 3}, {0, 5, 3}, {10 * kMs, 5, 1}, {60 * kMs, 5, 1}, {90 * kMs, 5, 1}},
                       {MakeWorker(Role::kBoth), MakeWorker(Role::kBoth)});
  plan->worker_events = {
      {.time = 5 * kMs, .action = WorkerAction::kScaleDown, .first_worker = 0, .group_size = 2},
      {.time = 70 * kMs,
       .action = WorkerAction::kScaleUp,
       .first_worker = 0,
       .group_size = 2,
       .delay = 10 * kMs}};
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[1].worker, 1);
  EXPECT_EQ(results.records[1].finish, 39 * kMs);
  EXPECT_EQ(results.records[2].worker, 0);
  EXPECT_EQ(results.records[3].worker, 0);
  EXPECT_EQ(results.records[4].worker, 1);
  EXPECT_EQ(results.workers[1].unavailable, 41 * kMs);
}

TEST(ClusterTest, ALostSenderMeansAnotherPrefill) {
  // Worker 0 fails while the cache of 0 is on its way to worker 2 (slow link): 0 is prefilled again
  // on worker 1.
  auto plan = MakePlan({{0, 5, 3}}, {MakeWorker(Role::kPrefill), MakeWorker(Role::kPrefill),
                                     MakeWorker(Role::kDecode)});
  plan->network.intra_node = {.latency_seconds = 0.100};
  plan->worker_events = {{.time = 50 * kMs, .action = WorkerAction::kFail, .worker = 0}};
  const Results results = RunPlan(plan);
  // Prefill of 6 tokens [50, 66) is its second token; the cache is there at 166.
  EXPECT_EQ(results.records[0].first_token, 15 * kMs);
  EXPECT_EQ(results.records[0].finish, 178 * kMs);
  EXPECT_EQ(results.records[0].max_itl, 112 * kMs);
  EXPECT_EQ(results.redispatched, 1);
}

TEST(ClusterTest, AFullDecodeWorkerHandsItsLastRequestOn) {
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

TEST(ClusterTest, BreakpointsLogIterationsAndOperators) {
  class Log final : public Observer {
   public:
    void OnEvent(SimTime now, const Event& event) override {
      const auto* e = std::get_if<OperatorEvent>(&event);
      if (e == nullptr) return;
      EXPECT_EQ(e->name, "iteration");
      EXPECT_EQ(e->start + e->duration, now);
      durations.push_back(e->duration);
    }
    std::vector<SimTime> durations;
  };
  auto plan = MakePlan({{0, 5, 3}}, {MakeWorker(Role::kBoth)});
  plan->workers[0].breakpoints = {{.after = "iteration"}};
  Log log;
  RunPlan(plan, &log);
  EXPECT_EQ(log.durations, (std::vector<SimTime>{15 * kMs, 12 * kMs, 12 * kMs}));
}

}  // namespace
}  // namespace tokensim
