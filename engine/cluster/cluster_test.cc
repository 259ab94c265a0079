// Clusters small enough to work out by hand. An iteration costs 10 ms + 1 ms per prompt token + 2
// ms per decode; a token's KV cache has 1,000 bytes.
#include "engine/cluster/cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "engine/cluster/simulation.h"
#include "engine/compute/affine.h"
#include "engine/policy/local/registry.h"

namespace tokensim {
namespace {

constexpr SimTime kMs = 1'000'000;

struct TestRequest {
  SimTime arrival;
  int32_t input;
  int32_t output;
};

WorkerPlan MakeWorker(Role role, int64_t kv_blocks = 1000, int32_t block_size = 4) {
  return {.name = "gpu",
          .compute = MakeAffineModel({.iteration_seconds = 0.010,
                                      .prefill_token_seconds = 0.001,
                                      .decode_token_seconds = 0.002}),
          .kv_blocks = kv_blocks,
          .block_size = block_size,
          .max_model_len = 100'000,
          .role = role,
          .kv_bytes_per_token = 1000};
}

std::shared_ptr<Plan> MakePlan(const std::vector<TestRequest>& requests,
                               std::vector<WorkerPlan> workers) {
  auto trace = std::make_shared<TraceTable>();
  for (const TestRequest& r : requests) {
    trace->arrival.push_back(r.arrival);
    trace->input_tokens.push_back(r.input);
    trace->output_tokens.push_back(r.output);
  }
  auto plan = std::make_shared<Plan>();
  plan->workload.num_requests = trace->size();
  plan->workload.arrivals = TraceArrivals{};
  plan->workload.lengths = TraceLengths{};
  plan->workload.trace = trace;
  plan->workers = std::move(workers);
  plan->network.intra_node = {.latency_seconds = 0.003};
  return plan;
}

Results RunPlan(const std::shared_ptr<Plan>& plan, Observer* observer = nullptr) {
  Simulation simulation(plan, observer);
  while (!simulation.done()) EXPECT_TRUE(simulation.Advance(1000).ok());
  Results results = simulation.results();
  std::sort(
      results.records.begin(), results.records.end(),
      [](const RequestRecord& a, const RequestRecord& b) { return a.request_id < b.request_id; });
  return results;
}

TEST(ClusterTest, PrefilledRequestDecodesWhereItsCacheArrives) {
  // Prefill [0, 15), cache there at 18, decodes [18, 30) and [30, 42).
  const Results results =
      RunPlan(MakePlan({{0, 5, 3}}, {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode)}));
  const RequestRecord& r = results.records.at(0);
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
    void OnArrived(SimTime, int64_t, int32_t, int32_t) override {}
    void OnScheduled(SimTime, int64_t, int32_t) override {}
    void OnFirstToken(SimTime, int64_t, int32_t) override {}
    void OnTokens(SimTime, const TokenSpan&) override {}
    void OnPreempted(SimTime, int64_t, int32_t, int32_t) override {}
    void OnFinished(SimTime, const RequestRecord&) override {}
    void OnRejected(SimTime, const RequestRecord&) override {}
    void OnIteration(SimTime, const IterationEvent&) override {}
    void OnSnapshot(SimTime, std::span<const WorkerSnapshot>, int64_t) override {}
    void OnEnded(SimTime, EndReason, int64_t, int64_t, int64_t) override {}
    void OnOperator(SimTime now, const OperatorEvent& e) override {
      EXPECT_EQ(e.name, "iteration");
      EXPECT_EQ(e.start + e.duration, now);
      durations.push_back(e.duration);
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
