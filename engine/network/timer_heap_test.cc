#include "engine/network/timer_heap.h"

#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

TEST(TimerHeapTest, OrdersByTimeThenOrder) {
  TimerHeap timers;
  timers.Set(0, 50, 9);
  timers.Set(1, 40, 8);
  timers.Set(2, 40, 7);
  EXPECT_EQ(timers.slot(), 2);
  timers.Set(2, 60, 7);
  EXPECT_EQ(timers.slot(), 1);
  timers.Remove(1);
  EXPECT_EQ(timers.slot(), 0);
  EXPECT_EQ(timers.time(), 50);
  timers.Remove(0);
  timers.Remove(0);
  timers.Remove(17);
  timers.Remove(2);
  EXPECT_TRUE(timers.empty());
}

TEST(TimerHeapTest, EqualsASortedMap) {
  RngStream rng(3, "timers");
  TimerHeap timers;
  std::map<int32_t, std::pair<SimTime, int64_t>> naive;
  for (int step = 0; step < 20'000; ++step) {
    const auto slot = static_cast<int32_t>(rng.Below(40));
    if (rng.Below(3) == 0) {
      timers.Remove(slot);
      naive.erase(slot);
    } else {
      const auto time = static_cast<SimTime>(rng.Below(30));
      timers.Set(slot, time, slot);
      naive[slot] = {time, slot};
    }
    ASSERT_EQ(timers.empty(), naive.empty());
    if (naive.empty()) continue;
    std::pair<SimTime, int64_t> first = naive.begin()->second;
    for (const auto& entry : naive) first = std::min(first, entry.second);
    ASSERT_EQ(timers.time(), first.first);
    ASSERT_EQ(timers.slot(), first.second);
  }
}

}  // namespace
}  // namespace tokensim
