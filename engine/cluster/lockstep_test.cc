// Ranks in lock-step, warm-up, and the front end, worked out by hand at the costs of test_plan.h.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "engine/cluster/test_plan.h"

namespace tokensim {
namespace {

std::shared_ptr<Plan> MakeRanks(const std::vector<TestRequest>& requests, int32_t ranks) {
  WorkerPlan worker = MakeWorker(Role::kBoth);
  worker.lockstep_first = 0;
  worker.lockstep_ranks = ranks;
  return MakePlan(requests, std::vector<WorkerPlan>(static_cast<size_t>(ranks), worker));
}

TEST(LockstepTest, TheSlowestRankSetsThePace) {
  // Round robin: a prompt of 20 to one rank, of 5 to the other. Both prompts run in [0, 30); the
  // other iterations have a decode on each.
  const Results results = RunPlan(MakeRanks({{0, 20, 2}, {0, 5, 3}}, 2));
  EXPECT_EQ(results.records[0].first_token, 30 * kMs);
  EXPECT_EQ(results.records[1].first_token, 30 * kMs);
  EXPECT_EQ(results.records[0].finish, 42 * kMs);
  EXPECT_EQ(results.records[1].finish, 54 * kMs);
  EXPECT_EQ(results.workers[0].iterations, 2);
  EXPECT_EQ(results.workers[1].iterations, 3);
}

TEST(LockstepTest, ARankWithoutRequestsTakesThemInWhenTheOthersEnd) {
  // [0, 30) is the first rank's alone. The second request comes at 5, is taken in at 30 and shares
  // [30, 45) with a decode.
  const Results results = RunPlan(MakeRanks({{0, 20, 2}, {5 * kMs, 5, 1}}, 2));
  EXPECT_EQ(results.records[1].queued, 30 * kMs);
  EXPECT_EQ(results.records[1].scheduled, 30 * kMs);
  EXPECT_EQ(results.records[1].finish, 45 * kMs);
  EXPECT_EQ(results.records[0].finish, 45 * kMs);
}

TEST(LockstepTest, IdleRanksStartTogetherAgain) {
  const Results results = RunPlan(MakeRanks({{0, 5, 1}, {100 * kMs, 7, 1}}, 2));
  EXPECT_EQ(results.records[0].finish, 15 * kMs);
  EXPECT_EQ(results.records[1].scheduled, 100 * kMs);
  EXPECT_EQ(results.records[1].finish, 117 * kMs);
}

TEST(LockstepTest, FormsBatchesAheadToo) {
  auto plan = MakeRanks({{0, 20, 3}, {0, 5, 3}}, 2);
  for (WorkerPlan& worker : plan->workers) worker.scheduler.async_depth = 2;
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[0].first_token, 30 * kMs);
  EXPECT_EQ(results.records[0].finish, 54 * kMs);
  EXPECT_EQ(results.records[1].finish, 54 * kMs);
}

TEST(LockstepTest, IterationsOfEveryRankAreEvents) {
  // Two arrivals, two iterations of the first rank and three of the second.
  EXPECT_EQ(RunPlan(MakeRanks({{0, 20, 2}, {0, 5, 3}}, 2)).events, 7);
}

TEST(LockstepTest, StopsAtMaxEventsThoughTheFirstRankIsIdle) {
  // Two arrivals, an iteration of both ranks until 15, then the second rank's until 27, 39 ... 87.
  auto plan = MakeRanks({{0, 5, 1}, {0, 5, 100}}, 2);
  plan->max_events = 10;
  for (const int64_t slice : {1, 3, 1000}) {
    Simulation simulation(plan);
    while (!simulation.done()) ASSERT_TRUE(simulation.Advance(slice).ok());
    EXPECT_EQ(simulation.results().end_reason, EndReason::kMaxEvents);
    EXPECT_EQ(simulation.results().events, 10);
    EXPECT_EQ(simulation.progress().events, 10);
    EXPECT_EQ(simulation.results().end_time, 87 * kMs);
  }
}

TEST(LockstepTest, WhatARankWithoutABatchSwappedOutHoldsUpNobodyElse) {
  // The cache of 0 loads [26, 126) into two of the four blocks of rank 1. So 1, which decodes
  // there, finds no third block at 62: it is swapped out, 2 ms, and nothing is left to run. 2
  // decodes beside it: [62, 74), [74, 86). At 126 rank 1 decodes 0, and swaps first: [126, 140).
  WorkerPlan rank = MakeWorker(Role::kBoth, 4);
  rank.lockstep_first = 1;
  rank.lockstep_ranks = 2;
  rank.scheduler.preemption = PreemptionMode::kSwap;
  rank.host_blocks = 10;
  rank.host_link = {.bandwidth_bytes_per_second = 4e6};
  auto plan = MakePlan({{0, 5, 2}, {0, 4, 9}, {0, 4, 7}}, {MakeWorker(Role::kPrefill), rank, rank});
  plan->network.intra_node = {.latency_seconds = 0.100};
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[1].preemptions, 1);
  EXPECT_EQ(results.records[2].finish, 86 * kMs);
  EXPECT_EQ(results.records[0].finish, 140 * kMs);
}

TEST(FrontEndTest, DelaysRequestsAndTokens) {
  auto plan = MakeLonePlan({{10 * kMs, 5, 2}});
  plan->request_delay = 3 * kMs;
  plan->response_delay = 4 * kMs;
  const Results results = RunPlan(plan);
  const RequestRecord& r = results.records[0];
  EXPECT_EQ(r.arrival, 10 * kMs);
  EXPECT_EQ(r.queued, 13 * kMs);
  EXPECT_EQ(r.scheduled, 13 * kMs);
  EXPECT_EQ(r.first_token, (13 + 15 + 4) * kMs);
  EXPECT_EQ(r.finish, (13 + 15 + 12 + 4) * kMs);
  EXPECT_EQ(results.first_arrival, 10 * kMs);
}

TEST(WarmUpTest, LengthensTheFirstIterationOnly) {
  auto plan = MakeLonePlan({{0, 5, 2}});
  plan->workers[0].warm_up_seconds = 0.1;
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[0].first_token, 115 * kMs);
  EXPECT_EQ(results.records[0].finish, 127 * kMs);
}

TEST(WarmUpTest, ComesAgainAfterARecovery) {
  auto plan = MakeLonePlan({{0, 5, 1}, {220 * kMs, 5, 2}});
  plan->workers[0].warm_up_seconds = 0.1;
  plan->worker_events = {{.time = 200 * kMs, .action = WorkerAction::kFail, .worker = 0},
                         {.time = 210 * kMs, .action = WorkerAction::kRecover, .worker = 0}};
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[0].finish, 115 * kMs);
  EXPECT_EQ(results.records[1].first_token, (220 + 115) * kMs);
  EXPECT_EQ(results.records[1].finish, (220 + 115 + 12) * kMs);
}

}  // namespace
}  // namespace tokensim
