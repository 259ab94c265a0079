#include "engine/run/timeline.h"

#include <gtest/gtest.h>

#include <numeric>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

constexpr SimTime kMs = 1'000'000;

// An iteration with `running` requests and `kv_blocks` blocks.
void AddIteration(SimTime begin, SimTime end, int32_t running, int64_t kv_blocks, Timeline* t) {
  t->Add(begin, end, {.running = running, .kv_blocks = kv_blocks}, /*busy=*/true, 0);
}

TEST(TimelineTest, AveragesWithinAnInterval) {
  Timeline timeline(4);
  AddIteration(0, kMs / 2, 2, 10, &timeline);
  AddIteration(kMs / 2, kMs, 4, 30, &timeline);
  const WorkerTimeline t = timeline.Averages(kMs);
  ASSERT_EQ(t.running.size(), 1u);
  EXPECT_DOUBLE_EQ(t.running[0], 3);
  EXPECT_DOUBLE_EQ(t.kv_blocks_used[0], 20);
  EXPECT_DOUBLE_EQ(t.busy[0], 1);
}

TEST(TimelineTest, SplitsSpansAtIntervalBoundaries) {
  Timeline timeline(4);
  timeline.Add(0, 3 * kMs / 2, {.held = 2}, /*busy=*/false, 0);
  AddIteration(kMs / 2, 5 * kMs / 2, 1, 1, &timeline);
  timeline.Add(kMs, 3 * kMs / 2, {.waiting = 4, .loading = 6}, /*busy=*/false, 0);
  const WorkerTimeline t = timeline.Averages(3 * kMs);
  EXPECT_EQ(t.running, (std::vector<double>{0.5, 1, 0.5}));
  EXPECT_EQ(t.waiting, (std::vector<double>{0, 2, 0}));
  EXPECT_EQ(t.loading, (std::vector<double>{0, 3, 0}));
  EXPECT_EQ(t.held, (std::vector<double>{2, 1, 0}));
  EXPECT_EQ(t.busy, (std::vector<double>{0.5, 1, 0.5}));
}

TEST(TimelineTest, WhatIsStoredElsewhereIsASeriesOnlyWhenThereIsSuchATier) {
  Timeline without(4);
  AddIteration(0, kMs, 1, 1, &without);
  EXPECT_TRUE(without.Averages(kMs).stored.empty());
  EXPECT_TRUE(without.Averages(kMs).loading.empty());
  EXPECT_TRUE(without.Averages(kMs).held.empty());
  Timeline timeline(4, /*has_store=*/true);
  timeline.Add(0, kMs / 2, {}, /*busy=*/false, 0);
  timeline.Add(kMs / 2, 5 * kMs / 2, {}, /*busy=*/false, 8);
  AddIteration(3 * kMs, 6 * kMs, 1, 1, &timeline);  // folds
  const WorkerTimeline t = timeline.Averages(6 * kMs);
  EXPECT_EQ(t.interval, 2 * kMs);
  EXPECT_EQ(t.stored, (std::vector<double>{6, 2, 0}));
}

TEST(TimelineTest, NothingAtAllLeavesTheResolution) {
  Timeline timeline(4);
  AddIteration(0, kMs, 1, 1, &timeline);
  timeline.Add(kMs, 100 * kMs, {}, /*busy=*/false, 0);
  EXPECT_EQ(timeline.Averages(100 * kMs).interval, kMs);
  timeline.Add(100 * kMs, 101 * kMs, {.held = 1}, /*busy=*/false, 0);
  EXPECT_EQ(timeline.Averages(101 * kMs).interval, 32 * kMs);
}

TEST(TimelineTest, FoldsWhenFullAndKeepsTheIntegral) {
  for (const int32_t points : {2, 3, 7, 256}) {
    Timeline timeline(points);
    RngStream rng(3, "timeline");
    SimTime now = 0;
    double area = 0;
    for (int i = 0; i < 3000; ++i) {
      const SimTime next = now + 1 + static_cast<SimTime>(rng.Below(20 * kMs));
      const auto value = static_cast<int32_t>(rng.Below(100));
      AddIteration(now, next, value, 0, &timeline);
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
