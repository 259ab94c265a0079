#include "engine/schedule/global/global_scheduler.h"

#include <gtest/gtest.h>

#include <vector>

namespace tokensim {
namespace {

const std::vector<int32_t> kAll = {0, 1, 2};

TEST(GlobalSchedulerTest, RoundRobinTakesTurns) {
  const auto scheduler = MakeGlobalScheduler({.policy = GlobalPolicy::kRoundRobin});
  WorkerSignals signals;
  signals.Resize(3);
  signals.outstanding = {9, 0, 0};
  for (const int32_t expected : {0, 1, 2, 0, 1, 2, 0}) {
    EXPECT_EQ(scheduler->Dispatch({.signals = signals, .candidates = kAll}), expected);
  }
}

TEST(GlobalSchedulerTest, LeastRequestsTakesTheFirstOfTheLeast) {
  const auto scheduler = MakeGlobalScheduler({.policy = GlobalPolicy::kLeastRequests});
  WorkerSignals signals;
  signals.Resize(3);
  signals.outstanding = {3, 1, 1};
  EXPECT_EQ(scheduler->Dispatch({.signals = signals, .candidates = kAll}), 1);
  signals.outstanding = {5, 5, 5};
  EXPECT_EQ(scheduler->Dispatch({.signals = signals, .candidates = kAll}), 0);
}

}  // namespace
}  // namespace tokensim
