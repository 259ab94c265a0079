#include "server/session/watchers.h"

#include <future>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace tokensim {
namespace {

const SimulationName kName{"default", "a"};

TEST(Watchers, CallsWatchersOfTheName) {
  std::atomic<int> calls = 0;
  std::atomic<int> other = 0;
  Executor executor("test", 2);
  Watchers watchers(executor);
  const auto handle = watchers.Add(kName, [&] { ++calls; });
  const auto other_handle = watchers.Add({"default", "b"}, [&] { ++other; });
  watchers.Notify(kName);
  executor.Stop();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(other, 0);
}

TEST(Watchers, ADroppedHandleEndsTheCalls) {
  std::atomic<int> calls = 0;
  Executor executor("test", 1);
  Watchers watchers(executor);
  auto first = watchers.Add(kName, [&] { calls += 1; });
  const auto second = watchers.Add(kName, [&] { calls += 100; });
  first.reset();
  watchers.Notify(kName);
  executor.Stop();
  EXPECT_EQ(calls, 100);
}

TEST(Watchers, ManyNotificationsBecomeFewCalls) {
  std::promise<void> gate;
  std::atomic<int> calls = 0;
  Executor executor("test", 1);
  executor.Post([&] { gate.get_future().wait(); });
  Watchers watchers(executor);
  const auto handle = watchers.Add(kName, [&] { ++calls; });
  for (int i = 0; i < 100; ++i) watchers.Notify(kName);
  gate.set_value();
  executor.Stop();
  EXPECT_EQ(calls, 1);
}

TEST(Watchers, MayComeAndGoWhileNotified) {
  Executor executor("test", 2);
  Watchers watchers(executor);
  std::atomic<int> calls = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const auto handle = watchers.Add(kName, [&] { ++calls; });
        watchers.Notify(kName);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  executor.Stop();
}

}  // namespace
}  // namespace tokensim
