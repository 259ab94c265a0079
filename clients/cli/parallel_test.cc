#include "clients/cli/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace tokensim::cli {
namespace {

TEST(RunParallel, DoesEachPieceOnce) {
  for (const int threads : {1, 2, 7, 100}) {
    std::vector<int> done(50);
    RunParallel(done.size(), threads, [&](size_t i) { ++done[i]; });
    EXPECT_EQ(done, std::vector<int>(50, 1)) << threads;
  }
}

TEST(RunParallel, OneThreadGoesInOrder) {
  std::vector<size_t> order;
  RunParallel(5, 1, [&](size_t i) { order.push_back(i); });
  EXPECT_EQ(order, (std::vector<size_t>{0, 1, 2, 3, 4}));
}

TEST(RunParallel, NothingToDoReturnsWithoutAsking) {
  RunParallel(
      0, 4, [](size_t) { FAIL(); }, [](size_t) { FAIL(); });
}

TEST(RunParallel, TellsWhenAllIsDone) {
  for (int round = 0; round < 200; ++round) {  // now and then before anybody looks
    std::vector<size_t> told;
    RunParallel(
        3, 2, [](size_t) {}, [&](size_t done) { told.push_back(done); });
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.back(), 3U);
  }
}

TEST(RunParallel, UsesSeveralThreads) {
  // Each of two pieces waits for the other: one thread would never end.
  std::atomic<int> begun = 0;
  RunParallel(2, 2, [&](size_t) {
    ++begun;
    while (begun < 2) std::this_thread::yield();
  });
  EXPECT_EQ(begun, 2);
}

}  // namespace
}  // namespace tokensim::cli
