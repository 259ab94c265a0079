// Host memory and the memory pool beside a worker: small enough to work out by hand, at the costs
// of test_plan.h.
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "engine/cluster/test_plan.h"

namespace tokensim {
namespace {

TEST(StoresTest, SwappedCacheComesBackOverTheHostLink) {
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

TEST(StoresTest, AFailedWorkersHostMemoryKeepsItsPeak) {
  WorkerPlan worker = MakeWorker(Role::kBoth, 3);
  worker.scheduler.preemption = PreemptionMode::kSwap;
  worker.host_blocks = 10;
  worker.host_link = {.bandwidth_bytes_per_second = 4e6};
  auto plan = MakePlan({{0, 4, 3}, {0, 4, 3}}, {worker});
  plan->worker_events = {{.time = 30 * kMs, .action = WorkerAction::kFail, .worker = 0}};
  EXPECT_EQ(RunPlan(plan).workers[0].max_host_blocks_used, 1);
}

TEST(StoresTest, OverlappedSwapsDoNotLengthenIterations) {
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

TEST(StoresTest, HostMemoryOverTime) {
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

TEST(StoresTest, MemoryPoolOverTime) {
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

TEST(StoresTest, AsynchronousPoolLoadsCostTheIterationTheyRunBeside) {
  // The load begins at 87, beside [87, 99); then 6 tokens and X's decode: [99, 117).
  for (const double seconds : {0.0, 0.001, 0.012}) {
    const RequestRecord r = LaterTurn(RunPlan(BusyPoolPlan(PoolLoad::kAsync, seconds)));
    EXPECT_EQ(r.cached_tokens, 4);
    EXPECT_EQ(r.scheduled, 99 * kMs);
    EXPECT_EQ(r.first_token, 117 * kMs);
    EXPECT_EQ(r.finish, 131 * kMs);
  }
}

TEST(StoresTest, BlockingPoolLoadsLengthenTheIterationTheyBegin) {
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

TEST(StoresTest, BlockingPoolLoadsShareTheLink) {
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

TEST(StoresTest, FullHostMemoryMeansRecomputation) {
  WorkerPlan worker = MakeWorker(Role::kBoth, 3);
  worker.scheduler.preemption = PreemptionMode::kSwap;
  const Results results = RunPlan(MakePlan({{0, 4, 3}, {0, 4, 3}}, {worker}));
  EXPECT_EQ(results.workers[0].swapped_out_blocks, 0);
  EXPECT_EQ(results.records[1].finish, (57 + 12) * kMs);
}

}  // namespace
}  // namespace tokensim
