// Local schedulers that wait for more requests: when they are asked again, and that every run ends.
// A prompt of 5 tokens takes 10 + 5 ms, two of them 10 + 10.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "engine/cluster/test_plan.h"
#include "engine/policy/global/registry.h"
#include "engine/policy/local/test_static.h"
#include "engine/worker/batch_builder.h"

namespace tokensim {
namespace {

WorkerPlan WaitingWorker(Role role, int32_t batch, double timeout_seconds = 0) {
  WorkerPlan worker = MakeWorker(role);
  worker.scheduler = {
      .policy = FullBatches(timeout_seconds), .max_num_seqs = batch, .max_num_batched_tokens = 0};
  return worker;
}

std::vector<SimTime> Finishes(const Results& results) {
  std::vector<SimTime> finishes;
  for (const RequestRecord& r : results.records) finishes.push_back(r.finish);
  return finishes;
}

using Times = std::vector<SimTime>;

TEST(WaitingTest, ABatchBeginsWhenItIsFull) {
  const Results results =
      RunPlan(MakePlan({{0, 5, 1}, {30 * kMs, 5, 1}, {31 * kMs, 5, 1}, {90 * kMs, 5, 1}},
                       {WaitingWorker(Role::kBoth, 2)}));
  EXPECT_EQ(Finishes(results), (Times{50 * kMs, 50 * kMs, 110 * kMs, 110 * kMs}));
  EXPECT_EQ(results.records[0].queued, 0);
  EXPECT_EQ(results.records[0].scheduled, 30 * kMs);
  EXPECT_EQ(results.workers[0].iterations, 2);
  EXPECT_EQ(results.workers[0].busy, 40 * kMs);
  // 30 ms for the first, 20 for the third while the first batch runs and 39 beside an idle worker.
  EXPECT_TRUE(results.workers[0].occupancy.waiting == 89 * kMs);
}

TEST(WaitingTest, ATimeOutBeginsItAnyway) {
  // The second batch begins when its first request has waited for 40 ms, which was while the first
  // one ran.
  const Results results = RunPlan(MakePlan({{0, 5, 1}, {50 * kMs, 5, 1}, {105 * kMs, 5, 1}},
                                           {WaitingWorker(Role::kBoth, 2, 0.040)}));
  EXPECT_EQ(Finishes(results), (Times{55 * kMs, 105 * kMs, 160 * kMs}));
}

// The batch fills before the time is up: nothing is left of that.
TEST(WaitingTest, ATimeOutThatIsNotNeededIsForgotten) {
  auto plan = MakePlan({{0, 5, 1}, {30 * kMs, 5, 1}}, {WaitingWorker(Role::kBoth, 2, 1.0)});
  plan->max_simulated_time = 900 * kMs;
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.end_reason, EndReason::kCompleted);
  EXPECT_EQ(results.end_time, 50 * kMs);
}

TEST(WaitingTest, WhenNothingElseCanHappenWhatIsThereRuns) {
  // The last request of the first worker waits until the second one has run.
  auto plan = MakePlan({{0, 5, 1}, {0, 5, 30}},
                       {WaitingWorker(Role::kBoth, 2), WaitingWorker(Role::kBoth, 1)});
  const Results results = RunPlan(plan);
  const SimTime end = (15 + 29 * 12) * kMs;
  EXPECT_EQ(Finishes(results), (Times{end + 15 * kMs, end}));
}

TEST(WaitingTest, ALimitOfTimeEndsARunThatWaits) {
  auto plan = MakePlan({{0, 5, 1}}, {WaitingWorker(Role::kBoth, 2, 1.0)});
  plan->max_simulated_time = 500 * kMs;
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.end_reason, EndReason::kMaxSimulatedTime);
  EXPECT_EQ(results.end_time, 500 * kMs);
  EXPECT_TRUE(results.workers[0].occupancy.waiting == 500 * kMs);
}

TEST(WaitingTest, FewerUsersThanPlacesAreServedAllTheSame) {
  auto plan = MakePlan({{0, 5, 1}, {0, 5, 1}, {0, 5, 1}, {0, 5, 1}, {0, 5, 1}, {0, 5, 1}},
                       {WaitingWorker(Role::kBoth, 8)});
  plan->workload.arrivals = ClosedLoopArrivals{.users = 3, .think_time = FixedDuration{0.1}};
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.end_reason, EndReason::kCompleted);
  EXPECT_EQ(results.workers[0].iterations, 2);
  EXPECT_EQ(results.workers[0].finished, 6);
}

TEST(WaitingTest, AWorkerThatIsToStopWaitsForNobody) {
  auto plan = MakePlan({{0, 5, 1}, {200 * kMs, 5, 1}},
                       {WaitingWorker(Role::kBoth, 2), WaitingWorker(Role::kBoth, 2)});
  plan->worker_events = {{.time = 40 * kMs,
                          .action = WorkerAction::kScaleDown,
                          .first_worker = 0,
                          .group_size = 1,
                          .count = 1}};
  const Results results = RunPlan(plan);
  EXPECT_EQ(results.records[0].finish, 55 * kMs);
  EXPECT_EQ(results.workers[0].unavailable, results.end_time - 55 * kMs);
}

TEST(WaitingTest, ThoseThatWaitOnAWorkerThatFailsWaitElsewhere) {
  auto plan = MakePlan({{0, 5, 1}, {60 * kMs, 5, 1}},
                       {WaitingWorker(Role::kBoth, 2, 10.0), WaitingWorker(Role::kBoth, 2, 10.0)});
  plan->worker_events = {{.time = 40 * kMs, .action = WorkerAction::kFail, .worker = 0}};
  const Results results = RunPlan(plan);
  EXPECT_EQ(Finishes(results), (Times{80 * kMs, 80 * kMs}));
  EXPECT_EQ(results.redispatched, 1);
  EXPECT_EQ(results.end_time, 80 * kMs);
}

// The time counts from where they wait.
TEST(WaitingTest, TheTimeOutIsThatOfTheWorker) {
  auto plan = MakePlan({{0, 5, 1}},
                       {WaitingWorker(Role::kBoth, 2, 0.1), WaitingWorker(Role::kBoth, 2, 0.1)});
  plan->worker_events = {{.time = 40 * kMs, .action = WorkerAction::kFail, .worker = 0}};
  EXPECT_EQ(RunPlan(plan).records[0].finish, (40 + 100 + 15) * kMs);
}

TEST(WaitingTest, KvCachesComeWhileTheBatchOfADecoderFills) {
  // Prompts end at 15 and 55; their caches take 3 ms; then both decode, in 14 ms.
  const Results results =
      RunPlan(MakePlan({{0, 5, 2}, {40 * kMs, 5, 2}},
                       {MakeWorker(Role::kPrefill), WaitingWorker(Role::kDecode, 2)}));
  EXPECT_EQ(results.records[0].kv_transfer, 3 * kMs);
  EXPECT_EQ(Finishes(results), (Times{72 * kMs, 72 * kMs}));
  EXPECT_EQ(results.workers[1].iterations, 1);
}

TEST(WaitingTest, BlocksThatAreReservedAheadCountAsMembers) {
  auto plan = MakePlan({{0, 5, 2}, {40 * kMs, 5, 2}},
                       {MakeWorker(Role::kPrefill), WaitingWorker(Role::kDecode, 2)});
  plan->network.mode = TransferMode::kLayerwise;
  plan->network.intra_node = {.latency_seconds = 0.001};
  const Results results = RunPlan(plan);
  EXPECT_EQ(Finishes(results), (Times{70 * kMs, 70 * kMs}));
}

TEST(WaitingTest, ABatchIsFullWhenItsMemoryIs) {
  // Two blocks of 4 tokens each: a third prompt does not fit into the five.
  auto plan =
      MakePlan({{0, 5, 1}, {10 * kMs, 5, 1}, {20 * kMs, 5, 1}}, {WaitingWorker(Role::kBoth, 8)});
  plan->workers[0].kv_blocks = 5;
  const Results results = RunPlan(plan);
  EXPECT_EQ(Finishes(results), (Times{40 * kMs, 40 * kMs, 55 * kMs}));
}

// Half a second after its first request, and not before; a scheduler that no registry knows.
class Later final : public LocalScheduler {
 public:
  explicit Later(bool obeys) : obeys_(obeys) {}
  void FormBatch(BatchBuilder& builder) override {
    builder.ScheduleDecodes();
    if (!builder.has_waiting()) return;
    const SimTime due = builder.waiting_since() + 500 * kMs;
    if (builder.decode_count() == 0 && builder.now() < due && !(obeys_ && builder.must_run())) {
      return builder.Wait(due);
    }
    const Admission admission = builder.PlanFront();
    builder.AdmitFront(admission, admission.target);
  }

 private:
  const bool obeys_;
};

std::shared_ptr<Plan> LaterPlan(bool obeys) {
  auto plan = MakePlan({{10 * kMs, 5, 2}, {20 * kMs, 5, 1}}, {MakeWorker(Role::kBoth)});
  plan->workers[0].scheduler.policy = std::make_shared<LocalSchedulerFactory>(
      "later", LocalSchedulerTraits{.waits = true},
      [obeys](const BatchLimits&) { return std::make_unique<Later>(obeys); });
  return plan;
}

TEST(WaitingTest, ASchedulerOfOnesOwnMayWait) {
  const Results results = RunPlan(LaterPlan(true));
  EXPECT_EQ(results.records[0].scheduled, 510 * kMs);
  EXPECT_EQ(results.records[1].scheduled, 525 * kMs);
}

TEST(WaitingTest, ASchedulerThatWaitsInVainIsWrong) {
  auto plan = LaterPlan(false);
  plan->worker_events = {{.time = 100 * kMs,
                          .action = WorkerAction::kScaleDown,
                          .first_worker = 0,
                          .group_size = 1,
                          .count = 1}};
  Simulation simulation(plan);
  absl::Status status;
  while (status.ok() && !simulation.done()) status = simulation.Advance(1000);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_NE(status.message().find("waits in vain"), std::string::npos) << status;
}

}  // namespace
}  // namespace tokensim
