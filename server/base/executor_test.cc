#include "server/base/executor.h"

#include <atomic>
#include <future>
#include <vector>

#include "gtest/gtest.h"

namespace tokensim {
namespace {

TEST(Executor, OneThreadRunsTasksInOrder) {
  std::vector<int> order;
  {
    Executor executor("test", 1);
    for (int i = 0; i < 100; ++i) executor.Post([&order, i] { order.push_back(i); });
  }
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(Executor, StopRunsWhatWasPostedAndRefusesMore) {
  std::atomic<int> runs = 0;
  Executor executor("test", 4);
  for (int i = 0; i < 1000; ++i) executor.Post([&runs] { ++runs; });
  executor.Stop();
  EXPECT_EQ(runs, 1000);
  EXPECT_FALSE(executor.Post([&runs] { ++runs; }));
  EXPECT_EQ(runs, 1000);
}

TEST(Executor, TryPostIsBoundedPostIsNot) {
  std::promise<void> gate;
  std::promise<void> started;
  Executor executor("test", 1, 2);
  executor.Post([&] {
    started.set_value();
    gate.get_future().wait();
  });
  started.get_future().wait();
  EXPECT_TRUE(executor.TryPost([] {}));
  EXPECT_TRUE(executor.TryPost([] {}));
  EXPECT_FALSE(executor.TryPost([] {}));
  EXPECT_TRUE(executor.Post([] {}));
  gate.set_value();
}

}  // namespace
}  // namespace tokensim
