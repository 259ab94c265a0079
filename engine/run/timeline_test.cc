#include "engine/run/timeline.h"

#include <gtest/gtest.h>

#include <numeric>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

constexpr SimTime kMs = 1'000'000;

TEST(TimelineTest, AveragesWithinAnInterval) {
  Timeline timeline(4);
  timeline.AddIteration(0, kMs / 2, 2, 10);
  timeline.AddIteration(kMs / 2, kMs, 4, 30);
  const WorkerTimeline t = timeline.Averages(kMs);
  ASSERT_EQ(t.running.size(), 1u);
  EXPECT_DOUBLE_EQ(t.running[0], 3);
  EXPECT_DOUBLE_EQ(t.kv_blocks_used[0], 20);
  EXPECT_DOUBLE_EQ(t.busy[0], 1);
}

TEST(TimelineTest, SplitsSpansAtIntervalBoundaries) {
  Timeline timeline(4);
  timeline.AddIteration(kMs / 2, 5 * kMs / 2, 1, 1);
  timeline.AddWaiting(kMs, 3 * kMs / 2, 4);
  const WorkerTimeline t = timeline.Averages(3 * kMs);
  EXPECT_EQ(t.running, (std::vector<double>{0.5, 1, 0.5}));
  EXPECT_EQ(t.waiting, (std::vector<double>{0, 2, 0}));
}

TEST(TimelineTest, WhatIsStoredElsewhereIsASeriesOnlyWhenThereIsSuchATier) {
  Timeline without(4);
  without.AddIteration(0, kMs, 1, 1);
  EXPECT_TRUE(without.Averages(kMs).stored.empty());
  Timeline timeline(4);
  timeline.AddStored(0, kMs / 2, 0);
  timeline.AddStored(kMs / 2, 5 * kMs / 2, 8);
  timeline.AddIteration(3 * kMs, 6 * kMs, 1, 1);  // folds
  const WorkerTimeline t = timeline.Averages(6 * kMs);
  EXPECT_EQ(t.interval, 2 * kMs);
  EXPECT_EQ(t.stored, (std::vector<double>{6, 2, 0}));
}

TEST(TimelineTest, FoldsWhenFullAndKeepsTheIntegral) {
  for (const int32_t points : {2, 3, 7, 256}) {
    Timeline timeline(points);
    RngStream rng(3, "timeline");
    SimTime now = 0;
    double area = 0;
    for (int i = 0; i < 3000; ++i) {
      const SimTime next = now + 1 + static_cast<SimTime>(rng.Below(20 * kMs));
      const double value = static_cast<double>(rng.Below(100));
      timeline.AddIteration(now, next, value, 0);
      area += value * static_cast<double>(next - now);
      now = next;
    }
    const WorkerTimeline t = timeline.Averages(now);
    ASSERT_LE(t.running.size(), static_cast<size_t>(points));
    ASSERT_GE(t.running.size(), static_cast<size_t>(points / 2));
    double sum = 0;
    for (size_t i = 0; i < t.running.size(); ++i) {
      const SimTime begin = static_cast<SimTime>(i) * t.interval;
      sum += t.running[i] * static_cast<double>(std::min(t.interval, now - begin));
    }
    EXPECT_NEAR(sum / area, 1, 1e-9);
  }
}

}  // namespace
}  // namespace tokensim
