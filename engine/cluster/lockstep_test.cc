// Ranks in lock-step, warm-up, and the front end, worked out by hand. An iteration costs 10 ms + 1
// ms per prompt token + 2 ms per decode.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "engine/cluster/simulation.h"
#include "engine/compute/affine.h"

namespace tokensim {
namespace {

constexpr SimTime kMs = 1'000'000;

struct TestRequest {
  SimTime arrival;
  int32_t input;
  int32_t output;
};

std::shared_ptr<Plan> MakePlan(const std::vector<TestRequest>& requests, int32_t ranks) {
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
  for (int32_t i = 0; i < ranks; ++i) {
    plan->workers.push_back({.name = "gpu",
                             .compute = MakeAffineModel({.iteration_seconds = 0.010,
                                                         .prefill_token_seconds = 0.001,
                                                         .decode_token_seconds = 0.002}),
                             .kv_blocks = 1000,
                             .block_size = 4,
                             .max_model_len = 100'000});
    if (ranks == 1) continue;
    plan->workers.back().lockstep_first = 0;
    plan->workers.back().lockstep_ranks = ranks;
  }
  return plan;
}

Results RunPlan(const std::shared_ptr<Plan>& plan) {
  Simulation simulation(plan, nullptr);
  while (!simulation.done()) EXPECT_TRUE(simulation.Advance(1000).ok());
  Results results = simulation.TakeResults();
  std::vector<RequestRecord> rows = results.records.Rows();
  std::sort(rows.begin(), rows.end(), [](const RequestRecord& a, const RequestRecord& b) {
    return a.request_id < b.request_id;
  });
  results.records = rows;
  return results;
}

TEST(LockstepTest, TheSlowestRankSetsThePace) {
  // Round robin: a prompt of 20 to one rank, of 5 to the other. Both prompts run in [0, 30); the
  // other iterations have a decode on each.
  const Results results = RunPlan(MakePlan({{0, 20, 2}, {0, 5, 3}}, 2));
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
  const Results results = RunPlan(MakePlan({{0, 20, 2}, {5 * kMs, 5, 1}}, 2));
  EXPECT_EQ(results.records[1].queued, 30 * kMs);
  EXPECT_EQ(results.records[1].scheduled, 30 * kMs);
  EXPECT_EQ(results.records[1].finish, 45 * kMs);
  EXPECT_EQ(results.records[0].finish, 45 * kMs);
}

TEST(LockstepTest, IdleRanksStartTogetherAgain) {
  const Results results = RunPlan(MakePlan({{0, 5, 1}, {100 * kMs, 7, 1}}, 2));
  EXPECT_EQ(results.records[0].finish, 15 * kMs);
  EXPECT_EQ(results.records[1].scheduled, 100 * kMs);
  EXPECT_EQ(results.records[1].finish, 117 * kMs);
}

TEST(LockstepTest, FormsBatchesAheadToo) {
  auto plan = MakePlan({{0, 20, 3}, {0, 5, 3}}, 2);
  for (WorkerPlan& worker : plan->workers) worker.scheduler.async_depth = 2;
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[0].first_token, 30 * kMs);
  EXPECT_EQ(results.records[0].finish, 54 * kMs);
  EXPECT_EQ(results.records[1].finish, 54 * kMs);
}

TEST(FrontEndTest, DelaysRequestsAndTokens) {
  auto plan = MakePlan({{10 * kMs, 5, 2}}, 1);
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
  auto plan = MakePlan({{0, 5, 2}}, 1);
  plan->workers[0].warm_up_seconds = 0.1;
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[0].first_token, 115 * kMs);
  EXPECT_EQ(results.records[0].finish, 127 * kMs);
}

}  // namespace
}  // namespace tokensim
