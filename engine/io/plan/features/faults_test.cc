// What PrepareSpec says about failures and scaling, and what they compile to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/plan/test_specs.h"
#include "engine/run/plan.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Groups gpu (1 worker) and late (4 workers, 2 of them from the start).
Changes Events(const std::string& events) {
  return {{"workers[1]", "{name: late, hardware: a100-80g, count: 4, initial_count: 2}"},
          {"faults.events", events}};
}

TEST(PrepareFaultsTest, CompileInOrderOfTime) {
  const PreparedSpec prepared = PrepareChanged(
      Events("[{at_seconds: 9s, group: late, action: recover, worker: 3, start_delay_seconds: 2s}, "
             "{at_seconds: 5s, group: late, action: fail, worker: 3}, "
             "{at_seconds: 5s, group: late, action: scale_up, count: 2, start_delay_seconds: 30s}, "
             "{at_seconds: 7s, group: gpu, action: scale_down}]"));
  ASSERT_THAT(Texts(prepared), IsEmpty());
  const std::vector<WorkerEvent>& events = prepared.plan->worker_events;
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0].action, WorkerAction::kFail);
  EXPECT_EQ(events[0].time, 5 * kNanosPerSecond);
  EXPECT_EQ(events[0].worker, 4);
  EXPECT_EQ(events[1].action, WorkerAction::kScaleUp);
  EXPECT_EQ(events[1].first_worker, 1);
  EXPECT_EQ(events[1].group_size, 4);
  EXPECT_EQ(events[1].count, 2);
  EXPECT_EQ(events[1].delay, 30 * kNanosPerSecond);
  EXPECT_EQ(events[2].action, WorkerAction::kScaleDown);
  EXPECT_EQ(events[2].first_worker, 0);
  EXPECT_EQ(events[2].count, 1);
  EXPECT_EQ(events[3].action, WorkerAction::kRecover);
  EXPECT_EQ(events[3].worker, 4);
  EXPECT_EQ(events[3].delay, 2 * kNanosPerSecond);
}

TEST(PrepareFaultsTest, MissingFields) {
  EXPECT_THAT(FindingsOf(Events("[{}, {at_seconds: -1s, group: gpus, action: fail}, {at_seconds: "
                                "1s, group: gpu, action: fail}]")),
              ElementsAre("ERROR faults.events[0].at_seconds: is missing: when it happens",
                          "ERROR faults.events[0].group: is missing: name a group of workers",
                          "ERROR faults.events[0].action: is missing: allowed are fail, recover, "
                          "scale_up, scale_down",
                          HasSubstr("ERROR faults.events[1].at_seconds: is -1; allowed are"),
                          "ERROR faults.events[1].group: unknown worker group 'gpus'; did you mean "
                          "gpu?",
                          "ERROR faults.events[2].worker: is missing: the worker's index in the "
                          "group"));
}

TEST(PrepareFaultsTest, FieldsOfOtherActions) {
  EXPECT_THAT(
      FindingsOf(Events("[{at_seconds: 1s, group: late, action: fail, worker: 4, count: 2, "
                        "start_delay_seconds: 1s}, {at_seconds: 1s, group: late, action: scale_up, "
                        "worker: 0, count: 5}, {at_seconds: 1s, group: late, action: scale_down, "
                        "worker: -1, start_delay_seconds: -1s}]")),
      ElementsAre(
          "ERROR faults.events[0].worker: is 4; allowed are 0 .. 3",
          "WARNING faults.events[0].count: is not used: only scale_up and scale_down have a count",
          "WARNING faults.events[0].start_delay_seconds: is not used: only recover and scale_up "
          "have a delay",
          "WARNING faults.events[1].worker: is not used: only fail and recover name a worker",
          "ERROR faults.events[1].count: is 5; allowed are 1 .. 4",
          "ERROR faults.events[2].worker: is -1; allowed are 0 .. 3",
          "ERROR faults.events[2].start_delay_seconds: is -1; allowed are 0 .. 4e+09"));
}

TEST(PrepareFaultsTest, RecoveriesFollowFailures) {
  EXPECT_THAT(FindingsOf(Events("[{at_seconds: 5s, group: gpu, action: fail, worker: 0}, "
                                "{at_seconds: 4s, group: gpu, action: recover, worker: 0}, "
                                "{at_seconds: 6s, group: gpu, action: fail, worker: 0}]")),
              ElementsAre("ERROR faults.events[1].worker: is 0, which has not failed before",
                          "ERROR faults.events[2].worker: is 0, which has failed already"));
}

TEST(PrepareFaultsTest, ScalingStaysWithinTheGroup) {
  EXPECT_THAT(
      FindingsOf(Events("[{at_seconds: 1s, group: late, action: scale_up, count: 3}, "
                        "{at_seconds: 2s, group: late, action: scale_up, count: 2}, "
                        "{at_seconds: 3s, group: late, action: scale_down, count: 4}, "
                        "{at_seconds: 4s, group: late, action: scale_down}]")),
      ElementsAre("ERROR faults.events[0].count: is 3; of the group's 4 workers 2 serve already",
                  "ERROR faults.events[3].count: is 1; 0 workers of the group serve"));
}

TEST(PrepareFaultsTest, NoneIsTheSameAsEmpty) {
  EXPECT_EQ(PrepareChanged({{"faults", "{}"}}).digest, PrepareChanged({}).digest);
  EXPECT_THAT(PrepareChanged({}).plan->worker_events, IsEmpty());
}

TEST(PrepareFaultsTest, AtMostTenThousand) {
  v1::Spec spec = GoodSpec();
  for (int i = 0; i < 10'001; ++i) spec.mutable_faults()->add_events();
  EXPECT_THAT(Texts(PrepareSpec(spec, TracePolicy::NoPaths())),
              ElementsAre("ERROR faults.events: has 10,001 events; at most 10,000 are allowed"));
}

}  // namespace
}  // namespace tokensim
