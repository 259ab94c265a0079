#include "engine/worker/latency_log.h"

#include <gtest/gtest.h>

namespace tokensim {
namespace {

class LatencyLogTest : public ::testing::Test {
 protected:
  // A request whose prompt gave its first token at `end`.
  RequestHandle Prefilled(LatencyLog* log, SimTime end) {
    const RequestHandle handle = slab_.Allocate();
    EXPECT_TRUE(log->AddPromptToken(&slab_[handle], end));
    return handle;
  }

  RequestSlab slab_;
};

TEST_F(LatencyLogTest, TheLongestGapIsTheLongestIterationItDecodedIn) {
  LatencyLog log(slab_, /*pauses_decodes=*/false);
  log.AddIteration(0, 0, 50);
  const RequestHandle handle = Prefilled(&log, 50);
  slab_[handle].decode_start = 1;
  log.Join(handle, /*first_gap_apart=*/false);
  log.AddIteration(1, 50, 60);
  log.AddIteration(2, 60, 90);
  log.AddIteration(3, 90, 95);
  log.Leave(handle, 4);
  EXPECT_EQ(slab_[handle].first_token, 50);
  EXPECT_EQ(slab_[handle].max_itl, 30);
  EXPECT_EQ(slab_[handle].last_token, 95);
}

TEST_F(LatencyLogTest, AFirstGapApartCountsFromTheLastToken) {
  LatencyLog log(slab_, /*pauses_decodes=*/false);
  const RequestHandle handle = Prefilled(&log, 10);
  log.Join(handle, /*first_gap_apart=*/true);
  log.AddIteration(0, 100, 105);
  log.AddIteration(1, 105, 110);
  log.Leave(handle, 2);
  EXPECT_EQ(slab_[handle].max_itl, 95);
  EXPECT_EQ(slab_[handle].last_token, 110);
}

TEST_F(LatencyLogTest, OneThatNeverDecodedKeepsItsStamps) {
  LatencyLog log(slab_, /*pauses_decodes=*/false);
  const RequestHandle handle = Prefilled(&log, 10);
  log.Join(handle, /*first_gap_apart=*/true);
  log.Leave(handle, 0);
  log.AddIteration(0, 100, 105);
  EXPECT_EQ(slab_[handle].max_itl, kUnset);
  EXPECT_EQ(slab_[handle].last_token, 10);
}

TEST_F(LatencyLogTest, PausesAreGapsOfThoseThatDecodedBefore) {
  for (const bool pauses : {false, true}) {
    LatencyLog log(slab_, pauses);
    const RequestHandle handle = Prefilled(&log, 10);
    log.Join(handle, /*first_gap_apart=*/false);
    log.AddIteration(0, 10, 20);
    log.AddIteration(1, 70, 80);  // [20, 70) ran prompts
    log.Leave(handle, 2);
    EXPECT_EQ(slab_[handle].max_itl, pauses ? 60 : 10);
  }
}

TEST_F(LatencyLogTest, TheTokenOfALaterPrefillEndsAGap) {
  LatencyLog log(slab_, /*pauses_decodes=*/false);
  const RequestHandle handle = Prefilled(&log, 10);
  EXPECT_FALSE(log.AddPromptToken(&slab_[handle], 35));
  EXPECT_EQ(slab_[handle].first_token, 10);
  EXPECT_EQ(slab_[handle].max_itl, 25);
  EXPECT_EQ(slab_[handle].last_token, 35);
  EXPECT_EQ(slab_[handle].stay_token, 35);
}

TEST_F(LatencyLogTest, ForgetsWhatNobodyWillAskFor) {
  LatencyLog log(slab_, /*pauses_decodes=*/false);
  for (int64_t i = 0; i < 5; ++i) log.AddIteration(i, 100 * i, 100 * i + 50 - i);
  EXPECT_EQ(log.size(), 5U);
  log.DropBefore(3);
  EXPECT_EQ(log.size(), 2U);
}

}  // namespace
}  // namespace tokensim
