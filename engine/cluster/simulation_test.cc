// Whole runs small enough to work out by hand, at the costs of test_plan.h.
#include "engine/cluster/simulation.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/cluster/test_plan.h"

namespace tokensim {
namespace {

std::vector<RequestRecord> RunToEnd(const std::shared_ptr<Plan>& plan,
                                    Observer* observer = nullptr) {
  return RunPlan(plan, observer).records.Rows();
}

TEST(SimulationTest, LoneRequest) {
  // Prefill of 5: 15 ms. Two decodes: 12 ms each.
  const auto records = RunToEnd(MakeLonePlan({{0, 5, 3}}));
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].scheduled, 0);
  EXPECT_EQ(records[0].first_token, 15 * kMs);
  EXPECT_EQ(records[0].finish, 39 * kMs);
  EXPECT_EQ(records[0].max_itl, 12 * kMs);
}

TEST(SimulationTest, OneTokenOutputFinishesWithItsPrefill) {
  const auto records = RunToEnd(MakeLonePlan({{0, 5, 1}}));
  EXPECT_EQ(records[0].first_token, 15 * kMs);
  EXPECT_EQ(records[0].finish, 15 * kMs);
  EXPECT_EQ(records[0].max_itl, kUnset);
}

TEST(SimulationTest, ArrivalDuringAnIterationJoinsAtItsEnd) {
  // 0: prefill of 10 [0, 20), decodes. 1 arrives at 5, joins at 20: 10 + 5 + 2 = 17 ms -> 37.
  const auto records = RunToEnd(MakeLonePlan({{0, 10, 3}, {5 * kMs, 5, 1}}));
  EXPECT_EQ(records[1].scheduled, 20 * kMs);
  EXPECT_EQ(records[1].first_token, 37 * kMs);
  EXPECT_EQ(records[0].max_itl, 17 * kMs);
  EXPECT_EQ(records[0].finish, 49 * kMs);
}

TEST(SimulationTest, ArrivalAtTheEndOfAnIterationJoinsTheNext) {
  const auto records = RunToEnd(MakeLonePlan({{0, 10, 3}, {20 * kMs, 5, 1}}));
  EXPECT_EQ(records[1].scheduled, 20 * kMs);
}

TEST(SimulationTest, SimultaneousArrivalsShareTheFirstBatch) {
  const auto records = RunToEnd(MakeLonePlan({{0, 5, 1}, {0, 5, 1}}));
  EXPECT_EQ(records[0].finish, 20 * kMs);
  EXPECT_EQ(records[1].finish, 20 * kMs);
}

TEST(SimulationTest, PreemptionRecomputesAndCountsTheGap) {
  // Blocks of 4, three of them. Both prefill 4 tokens [0, 18). The decode of 0 takes the last
  // block, so 1 is preempted. 0 decodes at 30 and 42, finishes; 1 then prefills 4 + 1 tokens [42,
  // 57): its second token, 39 ms after its first.
  const auto records = RunToEnd(MakeLonePlan({{0, 4, 3}, {0, 4, 3}}, {}, 3, 4));
  EXPECT_EQ(records[0].preemptions, 0);
  EXPECT_EQ(records[0].finish, 42 * kMs);
  EXPECT_EQ(records[1].preemptions, 1);
  EXPECT_EQ(records[1].first_token, 18 * kMs);
  EXPECT_EQ(records[1].max_itl, 39 * kMs);
  EXPECT_EQ(records[1].finish, (57 + 12) * kMs);
}

TEST(SimulationTest, RejectsWhatCanNeverFit) {
  auto plan = MakeLonePlan({{0, 40, 1}, {0, 41, 10}, {0, 4, 1}, {0, 500, 600}}, {}, 3, 16);
  plan->workers[0].max_model_len = 1000;
  const auto records = RunToEnd(plan);
  EXPECT_EQ(records[0].reject_reason, RejectReason::kNone);
  EXPECT_EQ(records[1].reject_reason, RejectReason::kKvCapacity);  // 50 tokens stored, 48 fit
  EXPECT_EQ(records[1].finish, records[1].arrival);
  EXPECT_EQ(records[1].scheduled, kUnset);
  EXPECT_EQ(records[2].reject_reason, RejectReason::kNone);
  EXPECT_EQ(records[3].reject_reason, RejectReason::kMaxModelLen);
}

TEST(SimulationTest, StopsAtTheLimitsOfThePlan) {
  for (const int64_t slice : {1, 3, 1000}) {
    auto plan = MakeLonePlan({{0, 5, 3}, {100 * kMs, 5, 3}});
    plan->max_simulated_time = 110 * kMs;
    Simulation by_time(plan);
    while (!by_time.done()) ASSERT_TRUE(by_time.Advance(slice).ok());
    EXPECT_EQ(by_time.results().end_reason, EndReason::kMaxSimulatedTime);
    EXPECT_EQ(by_time.results().end_time, 110 * kMs);
    EXPECT_EQ(by_time.results().records.size(), 1u);
    EXPECT_EQ(by_time.results().arrived, 2);

    plan->max_simulated_time = kNever;
    plan->max_events = 3;  // arrival and two iterations
    Simulation by_events(plan);
    while (!by_events.done()) ASSERT_TRUE(by_events.Advance(slice).ok());
    EXPECT_EQ(by_events.results().end_reason, EndReason::kMaxEvents);
    EXPECT_EQ(by_events.results().end_time, 27 * kMs);
    EXPECT_EQ(by_events.results().events, 3);
  }
}

TEST(SimulationTest, WorkerStatsAndTimeline) {
  auto plan = MakeLonePlan({{0, 5, 3}, {61 * kMs, 5, 1}});
  Simulation simulation(plan);
  ASSERT_TRUE(simulation.Advance(1000).ok());
  ASSERT_TRUE(simulation.done());
  const WorkerStats& stats = simulation.results().workers[0];
  EXPECT_EQ(stats.iterations, 4);
  EXPECT_EQ(stats.prefill_tokens, 10);
  EXPECT_EQ(stats.decode_tokens, 2);
  EXPECT_EQ(stats.busy, (39 + 15) * kMs);
  EXPECT_EQ(stats.finished, 2);
  EXPECT_EQ(stats.max_running, 1);
  EXPECT_EQ(simulation.results().end_time, 76 * kMs);
  const WorkerTimeline& timeline = simulation.results().timelines[0];
  EXPECT_EQ(timeline.interval, kMs);
  ASSERT_EQ(timeline.busy.size(), 76u);
  EXPECT_DOUBLE_EQ(timeline.busy[38], 1);
  EXPECT_DOUBLE_EQ(timeline.busy[40], 0);
}

TEST(SimulationTest, WithoutRecordsThereIsNoTimelineEither) {
  Simulation simulation(MakeLonePlan({{0, 5, 3}, {61 * kMs, 5, 1}}), nullptr, nullptr);
  ASSERT_TRUE(simulation.Advance(1000).ok());
  ASSERT_TRUE(simulation.done());
  EXPECT_EQ(simulation.results().workers[0].busy, (39 + 15) * kMs);
  EXPECT_TRUE(simulation.results().timelines[0].busy.empty());
}

// Writes events as text, one per line.
class Recorder : public Observer {
 public:
  void OnEvent(SimTime now, const Event& event) override {
    std::visit([&](const auto& e) { On(now, e); }, event);
  }

  std::vector<std::string> log;

 private:
  void On(SimTime now, const ArrivedEvent& e) { Line(now, "arrived", e.request_id); }
  void On(SimTime now, const ScheduledEvent& e) { Line(now, "scheduled", e.request_id); }
  void On(SimTime now, const FirstTokenEvent& e) { Line(now, "first", e.request_id); }
  void On(SimTime now, const TokensEvent& e) {
    Line(now, "tokens", e.request_id);
    log.back() += " @" + std::to_string(e.first_token_index);
    for (const SimTime time : e.times) log.back() += " " + std::to_string(time / kMs);
  }
  void On(SimTime now, const PreemptedEvent& e) {
    Line(now, "preempted", e.request_id);
    log.back() += " " + std::to_string(e.generated_tokens);
  }
  void On(SimTime now, const FinishedEvent& e) { Line(now, "finished", e.record.request_id); }
  void On(SimTime now, const RejectedEvent& e) { Line(now, "rejected", e.record.request_id); }
  void On(SimTime now, const IterationEvent& e) { Line(now, "iteration", e.index); }
  void On(SimTime now, const SnapshotEvent& e) {
    Line(now, "snapshot", e.workers[0].kv_blocks_used);
  }
  void On(SimTime now, const EndedEvent& e) { Line(now, "ended", e.finished); }
  // Events that a lone worker does not have.
  template <typename Other>
  void On(SimTime now, const Other& /*event*/) {
    Line(now, "unexpected", -1);
  }
  void Line(SimTime now, const std::string& what, int64_t number) {
    log.push_back(std::to_string(now / kMs) + " " + what + " " + std::to_string(number));
  }
};

TEST(SimulationTest, ObserverSeesEveryEventInOrder) {
  auto plan = MakeLonePlan({{0, 4, 3}, {0, 4, 3}}, {}, 3, 4);
  plan->snapshot_interval = 30 * kMs;
  Recorder recorder;
  RunToEnd(plan, &recorder);
  EXPECT_EQ(recorder.log, (std::vector<std::string>{"0 arrived 0",       "0 arrived 1",
                                                    "0 scheduled 0",     "0 scheduled 1",
                                                    "0 snapshot 2",      "18 iteration 0",
                                                    "18 first 0",        "18 first 1",
                                                    "18 tokens 1 @0 18", "18 preempted 1 1",
                                                    "30 iteration 1",    "30 snapshot 2",
                                                    "42 iteration 2",    "42 tokens 0 @0 18 30 42",
                                                    "42 finished 0",     "42 scheduled 1",
                                                    "57 iteration 3",    "60 snapshot 2",
                                                    "69 iteration 4",    "69 tokens 1 @1 57 69",
                                                    "69 finished 1",     "69 ended 2"}));
}

TEST(SimulationTest, BrokenInvariantFailsTheRunWithAReproducer) {
  class BrokenModel final : public ComputeModel {
   public:
    double IterationSeconds(const IterationShape&) const override {
      TOKENSIM_INVARIANT(false, "no price");
      return 0;
    }
  };
  auto plan = MakeLonePlan({{0, 5, 3}});
  plan->workers[0].compute = std::make_shared<BrokenModel>();
  plan->seed = 77;
  Simulation simulation(plan);
  const absl::Status status = simulation.Advance(1000);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_NE(std::string(status.message()).find("seed 77"), std::string::npos);
  EXPECT_NE(std::string(status.message()).find("no price"), std::string::npos);
  EXPECT_TRUE(simulation.done());
}

TEST(SimulationTest, WhatEndsJustAtTheLimitHasEnded) {
  auto plan = MakeLonePlan({{0, 5, 3}});
  plan->max_simulated_time = 39 * kMs;
  for (const int64_t slice : {1, 1000}) {
    Simulation simulation(plan);
    while (!simulation.done()) ASSERT_TRUE(simulation.Advance(slice).ok());
    EXPECT_EQ(simulation.results().end_reason, EndReason::kCompleted);
    EXPECT_EQ(simulation.results().records.size(), 1u);
  }
}

TEST(SimulationTest, ASnapshotJustAtTheLimitShowsTheEnd) {
  class Snapshots final : public Observer {
   public:
    void OnEvent(SimTime now, const Event& event) override {
      if (std::holds_alternative<SnapshotEvent>(event)) times.push_back(now);
    }
    std::vector<SimTime> times;
  };
  auto plan = MakeLonePlan({{0, 5, 3}});
  plan->max_simulated_time = 39 * kMs;
  plan->snapshot_interval = 13 * kMs;
  Snapshots snapshots;
  EXPECT_EQ(RunPlan(plan, &snapshots).end_reason, EndReason::kCompleted);
  EXPECT_EQ(snapshots.times, (std::vector<SimTime>{0, 13 * kMs, 26 * kMs, 39 * kMs}));
}

TEST(SimulationTest, HowManyComeWithinATimeIsKnownAtTheEnd) {
  auto plan = MakeLonePlan({{0, 5, 3}, {100 * kMs, 5, 3}});
  plan->workload.duration = 50 * kMs;
  Simulation simulation(plan);
  ASSERT_TRUE(simulation.Advance(1).ok());
  EXPECT_EQ(simulation.progress().total, 2);
  while (!simulation.done()) ASSERT_TRUE(simulation.Advance(1).ok());
  EXPECT_EQ(simulation.progress().total, 1);
}

// Iterations that get shorter with every token leave none of their gaps for a longer one.
TEST(SimulationTest, TheFirstGapOfALongAnswerIsRemembered) {
  class Faster final : public ComputeModel {
   public:
    [[nodiscard]] double IterationSeconds(const IterationShape& shape) const override {
      return 0.010 - 1e-7 * static_cast<double>(shape.decode_context);
    }
  };
  class Nobody final : public Observer {  // with an observer no iteration is cut short
   public:
    void OnEvent(SimTime /*now*/, const Event& /*event*/) override {}
  };
  auto plan = MakeLonePlan({{0, 5, 10'000}});
  plan->workers[0].compute = std::make_shared<Faster>();
  Nobody observer;
  const auto records = RunToEnd(plan, &observer);
  EXPECT_EQ(records[0].max_itl, 10 * kMs - 600);  // 6 tokens attended
}

}  // namespace
}  // namespace tokensim
