#include "engine/schedule/global/global_scheduler.h"

#include <gtest/gtest.h>

#include <vector>

namespace tokensim {
namespace {

TEST(GlobalSchedulerTest, RoundRobinTakesTurns) {
  const auto scheduler = MakeGlobalScheduler({.policy = GlobalPolicy::kRoundRobin});
  const std::vector<int32_t> outstanding = {9, 0, 0};
  for (const int32_t expected : {0, 1, 2, 0, 1, 2, 0}) {
    EXPECT_EQ(scheduler->Dispatch({.outstanding = outstanding}), expected);
  }
}

TEST(GlobalSchedulerTest, LeastRequestsTakesTheFirstOfTheLeast) {
  const auto scheduler = MakeGlobalScheduler({.policy = GlobalPolicy::kLeastRequests});
  EXPECT_EQ(scheduler->Dispatch({.outstanding = std::vector<int32_t>{3, 1, 2, 1}}), 1);
  EXPECT_EQ(scheduler->Dispatch({.outstanding = std::vector<int32_t>{0}}), 0);
  EXPECT_EQ(scheduler->Dispatch({.outstanding = std::vector<int32_t>{5, 5, 5}}), 0);
}

}  // namespace
}  // namespace tokensim
