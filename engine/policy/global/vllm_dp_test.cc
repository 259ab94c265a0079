#include <gtest/gtest.h>

#include "engine/policy/global/test_cluster.h"

namespace tokensim {
namespace {

const int32_t kBoth[] = {0, 1};

WorkerSignals Signals(int32_t waiting0, int32_t running0, int32_t waiting1, int32_t running1) {
  WorkerSignals signals;
  signals.Resize(2);
  signals.waiting = {waiting0, waiting1};
  signals.outstanding = {waiting0 + running0, waiting1 + running1};
  return signals;
}

TEST(VllmDpTest, AWaitingRequestCountsAsFourRunning) {
  const auto scheduler = Make("vllm_dp");
  const auto choice = [&](const WorkerSignals& signals) {
    return scheduler->Dispatch({.signals = signals, .candidates = kBoth});
  };
  EXPECT_EQ(choice(Signals(1, 0, 0, 3)), 1);
  EXPECT_EQ(choice(Signals(1, 0, 0, 5)), 0);
  EXPECT_EQ(choice(Signals(1, 0, 0, 4)), 0);  // ties: the first
}

TEST(VllmDpTest, BetweenCountsItsOwnRequestsCountAsWaiting) {
  const auto scheduler = Make("vllm_dp");
  WorkerSignals stale = Signals(0, 0, 0, 5);
  stale.refreshes = 1;
  const auto choose = [&] { return scheduler->Dispatch({.signals = stale, .candidates = kBoth}); };
  EXPECT_EQ(choose(), 0);  // 0 against 5
  EXPECT_EQ(choose(), 0);  // 4
  EXPECT_EQ(choose(), 1);  // 8 against 5
  EXPECT_EQ(choose(), 0);  // 8 against 9
  stale.refreshes = 2;     // the counts have them now
  EXPECT_EQ(choose(), 0);
}

}  // namespace
}  // namespace tokensim
