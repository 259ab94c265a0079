// Batches formed ahead, and breakpoints: small enough to work out by hand, at the costs of
// test_plan.h.
#include "engine/cluster/cluster.h"

#include <gtest/gtest.h>

#include <variant>
#include <vector>

#include "engine/cluster/test_plan.h"

namespace tokensim {
namespace {

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
