#include "server/session/watchers.h"

#include <future>
#include <memory>
#include <mutex>
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

// A change while a watcher is called may be one it did not see any more: it is called again.
TEST(Watchers, ANotificationDuringACallCallsAgain) {
  std::promise<void> again;
  int calls = 0;
  Executor executor("test", 1);
  Watchers watchers(executor);
  const auto handle = watchers.Add(kName, [&] {
    if (++calls == 1) {
      watchers.Notify(kName);
    } else {
      again.set_value();
    }
  });
  watchers.Notify(kName);
  again.get_future().wait();
  executor.Stop();
  EXPECT_EQ(calls, 2);
}

// A watcher that waits for its own call is called, whoever comes and goes beside it; one that stays
// is called at most once for each notification.
TEST(Watchers, MayComeAndGoWhileNotified) {
  constexpr int kThreads = 3;
  constexpr int kTimes = 200;
  struct Call {
    std::once_flag once;
    std::promise<void> promise;
  };
  Executor executor("test", 2);
  Watchers watchers(executor);
  std::atomic<int> stays_calls = 0;
  std::atomic<int> own_calls = 0;
  const auto stays = watchers.Add(kName, [&] { ++stays_calls; });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kTimes; ++i) {
        const auto call = std::make_shared<Call>();  // a call may outlive the handle
        const auto handle = watchers.Add(kName, [&own_calls, call] {
          std::call_once(call->once, [&] {
            ++own_calls;
            call->promise.set_value();
          });
        });
        watchers.Notify(kName);
        call->promise.get_future().wait();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  executor.Stop();
  EXPECT_EQ(own_calls, kThreads * kTimes);
  EXPECT_GE(stays_calls, 1);
  EXPECT_LE(stays_calls, kThreads * kTimes);
}

}  // namespace
}  // namespace tokensim
