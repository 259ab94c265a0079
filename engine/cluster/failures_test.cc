// Workers that fail, recover, come and go: small enough to work out by hand, at the costs of
// test_plan.h.
#include <gtest/gtest.h>

#include <memory>

#include "engine/cluster/test_plan.h"

namespace tokensim {
namespace {

TEST(FailuresTest, RequestsOfAFailedWorkerBeginAgainElsewhere) {
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

TEST(FailuresTest, RequestsWaitForAWorkerToRecover) {
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

TEST(FailuresTest, AStartBelongsToItsRecovery) {
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

TEST(FailuresTest, AWorkerThatFailsWhileItStartsStaysDown) {
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

TEST(FailuresTest, WhatAFailedWorkerHadToSwapIsForgotten) {
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

TEST(FailuresTest, BlocksThatAFailedWorkerPromisedAreFreeAgain) {
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

TEST(FailuresTest, WithoutAnyWorkerRequestsAreRejectedInTheEnd) {
  auto plan = MakePlan({{0, 5, 3}, {50 * kMs, 5, 1}}, {MakeWorker(Role::kBoth)});
  plan->worker_events = {{.time = 20 * kMs, .action = WorkerAction::kFail, .worker = 0}};
  const Results results = RunPlan(plan);
  ASSERT_EQ(results.records.size(), 2u);
  for (const RequestRecord& r : results.records) {
    EXPECT_EQ(r.reject_reason, RejectReason::kNoWorker);
  }
}

TEST(FailuresTest, WithoutAnyDecodeWorkerPrefilledRequestsMakeWayInTheEnd) {
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

TEST(FailuresTest, ARequestWithoutDecodeWorkerMayLoseItsSenderToo) {
  auto plan = MakePlan({{0, 5, 3}}, {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode)});
  plan->worker_events = {{.time = 5 * kMs, .action = WorkerAction::kFail, .worker = 1},
                         {.time = 20 * kMs, .action = WorkerAction::kFail, .worker = 0}};
  const Results results = RunPlan(plan);
  ASSERT_EQ(results.records.size(), 1u);
  EXPECT_EQ(results.records[0].reject_reason, RejectReason::kNoWorker);
}

TEST(FailuresTest, ScaledDownWorkersFinishWhatTheyHave) {
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

TEST(FailuresTest, ALostSenderMeansAnotherPrefill) {
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

TEST(FailuresTest, ARequestThatBeginsAgainAwaitsNoDecodeWorkerAnyMore) {
  // Three prefill [0, 34) on worker 0 and decode [34, 50); then it is short of blocks, and 2 moves
  // to worker 1 [50, 53), which fails at 51. Where its cache is, it is computed again, when the
  // iteration [50, 64) has ended.
  auto plan = MakePlan({{0, 8, 4}, {0, 8, 4}, {0, 8, 40}},
                       {MakeWorker(Role::kBoth, 14), MakeWorker(Role::kBoth, 100)});
  plan->workers[1].serving = false;
  plan->migrate_on_pressure = true;
  plan->worker_events = {
      {.time = 30 * kMs, .action = WorkerAction::kScaleUp, .first_worker = 1, .group_size = 1},
      {.time = 51 * kMs, .action = WorkerAction::kFail, .worker = 1}};
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.migrations, 1);
  EXPECT_EQ(results.redispatched, 1);
  const RequestRecord& r = results.records[2];
  EXPECT_EQ(r.worker, 0);
  EXPECT_EQ(r.decode_queueing, 0);
  EXPECT_EQ(r.max_itl, (64 + 10 + 10 + 2 * 2 - 50) * kMs);  // 10 tokens beside two decodes
}

TEST(FailuresTest, ARejectedRequestMakesPlaceForTheNextAtOnce) {
  // One at a time. 0 waits for the worker, which serves from 15 on and is too small for it; so 1 is
  // sent at 15, long before the worker fails.
  auto plan = MakePlan({{0, 500, 600}, {5 * kMs, 5, 1}}, {MakeWorker(Role::kBoth)});
  plan->workload.max_in_flight = 1;
  plan->workers[0].max_model_len = 1000;
  plan->workers[0].serving = false;
  plan->worker_events = {{.time = 10 * kMs,
                          .action = WorkerAction::kScaleUp,
                          .first_worker = 0,
                          .group_size = 1,
                          .delay = 5 * kMs},
                         {.time = 100 * kMs, .action = WorkerAction::kFail, .worker = 0}};
  const Results results = RunPlan(plan);
  ASSERT_EQ(results.records.size(), 2u);
  EXPECT_EQ(results.records[0].reject_reason, RejectReason::kMaxModelLen);
  EXPECT_EQ(results.records[0].finish, 15 * kMs);
  EXPECT_EQ(results.records[1].reject_reason, RejectReason::kNone);
  EXPECT_EQ(results.records[1].finish, 30 * kMs);
}

}  // namespace
}  // namespace tokensim
