// The same plan gives the same bytes: however it is sliced, watched or interleaved.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/base/rng.h"
#include "tests/property/random_plan.h"
#include "tests/property/run_engine.h"

namespace tokensim {
namespace {

class SilentObserver : public Observer {
 public:
  void OnEvent(SimTime, const Event&) override {}
};

class DeterminismTest : public testing::TestWithParam<Policies> {};

TEST_P(DeterminismTest, TwiceTheSame) {
  for (uint64_t seed = 1; seed <= Seeds(100); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomPlan(seed, GetParam());
    EXPECT_TRUE(SameResults(RunEngine(plan), RunEngine(RandomPlan(seed, GetParam()))));
  }
}

TEST_P(DeterminismTest, SlicesDoNotMatter) {
  for (uint64_t seed = 1; seed <= Seeds(100); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomPlan(seed, GetParam());
    const Results whole = RunEngine(plan);
    EXPECT_TRUE(SameResults(whole, RunEngine(plan, nullptr, 1)));
    EXPECT_TRUE(SameResults(whole, RunEngine(plan, nullptr, 37)));
  }
}

TEST_P(DeterminismTest, AnObserverDoesNotMatter) {
  for (uint64_t seed = 1; seed <= Seeds(100); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomPlan(seed, GetParam());
    SilentObserver observer;
    EXPECT_TRUE(SameResults(RunEngine(plan), RunEngine(plan, &observer, 20)));
  }
}

TEST_P(DeterminismTest, SixtyFourInterleavedEnginesRunAsAlone) {
  constexpr size_t kEngines = 64;
  RngStream rng(1, "interleaving");
  std::vector<std::shared_ptr<const Plan>> plans;
  std::vector<std::unique_ptr<Simulation>> simulations;
  for (size_t i = 0; i < kEngines; ++i) {
    // Every other engine shares the plan of the one before it.
    plans.push_back(i % 2 == 1 ? plans.back() : RandomPlan(1000 + i, GetParam()));
    simulations.push_back(std::make_unique<Simulation>(plans.back()));
  }
  for (size_t running = kEngines; running > 0;) {
    Simulation& simulation = *simulations[rng.Below(kEngines)];
    if (simulation.done()) continue;
    ASSERT_TRUE(simulation.Advance(1 + static_cast<int64_t>(rng.Below(100))).ok());
    running -= simulation.done();
  }
  for (size_t i = 0; i < kEngines; ++i) {
    SCOPED_TRACE("engine " + std::to_string(i));
    EXPECT_TRUE(SameResults(RunEngine(plans[i]), simulations[i]->results()));
  }
}

// Requests that ended before the stop ended as they would have without it.
void ExpectPrefix(const Results& whole, const Results& stopped) {
  const std::vector<RequestRecord> all = Sorted(whole.records);
  for (const RequestRecord& record : stopped.records) {
    EXPECT_TRUE(SameRecords({all[static_cast<size_t>(record.request_id)]}, {record}));
  }
}

TEST_P(DeterminismTest, StopsAtMaxSimulatedTime) {
  for (uint64_t seed = 1; seed <= Seeds(100); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto plan = std::make_shared<Plan>(*RandomPlan(seed, GetParam()));
    const Results whole = RunEngine(plan);
    plan->max_simulated_time = whole.end_time / 2;
    const Results stopped = RunEngine(plan);
    EXPECT_TRUE(SameResults(stopped, RunEngine(plan, nullptr, 3)));
    ExpectPrefix(whole, stopped);
    const auto ended_by_then = std::count_if(
        whole.records.begin(), whole.records.end(),
        [&plan](const RequestRecord& r) { return r.finish <= plan->max_simulated_time; });
    EXPECT_EQ(static_cast<int64_t>(stopped.records.size()), ended_by_then);
    const bool cut = stopped.records.size() < whole.records.size();
    EXPECT_EQ(stopped.end_reason, cut ? EndReason::kMaxSimulatedTime : EndReason::kCompleted);
    EXPECT_LE(stopped.end_time, plan->max_simulated_time);
    plan->max_simulated_time = whole.end_time;
    EXPECT_TRUE(SameResults(whole, RunEngine(plan)));
  }
}

TEST_P(DeterminismTest, StopsAtMaxEvents) {
  for (uint64_t seed = 1; seed <= Seeds(100); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto plan = std::make_shared<Plan>(*RandomPlan(seed, GetParam()));
    const Results whole = RunEngine(plan);
    plan->max_events = std::max<int64_t>(1, whole.events / 2);
    const Results stopped = RunEngine(plan);
    EXPECT_TRUE(SameResults(stopped, RunEngine(plan, nullptr, 1)));
    EXPECT_TRUE(SameResults(stopped, RunEngine(plan, nullptr, 7)));
    EXPECT_LE(stopped.events, plan->max_events);
    ExpectPrefix(whole, stopped);
    const bool cut = stopped.records.size() < whole.records.size();
    EXPECT_EQ(stopped.end_reason, cut ? EndReason::kMaxEvents : EndReason::kCompleted);
    plan->max_events = whole.events + 1;
    EXPECT_TRUE(SameResults(whole, RunEngine(plan)));
  }
}

INSTANTIATE_TEST_SUITE_P(AllPolicies, DeterminismTest,
                         testing::Values(Policies{"chunked", "round_robin"},
                                         Policies{"chunked", "least_requests"},
                                         Policies{"orca", "least_requests"},
                                         Policies{"static", "least_requests"}),
                         [](const auto& tested) { return NameOf(tested.param); });

}  // namespace
}  // namespace tokensim
