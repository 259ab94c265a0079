#include "engine/worker/gap_maximum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

TEST(GapMaximumTest, EqualsAScanOfTheIterations) {
  GapMaximum gaps;
  std::vector<SimTime> all;
  RngStream rng(9, "gaps");
  for (int64_t i = 0; i < 3000; ++i) {
    const auto duration = static_cast<SimTime>(1 + rng.Below(1 + static_cast<uint64_t>(i) % 97));
    all.push_back(duration);
    gaps.Push(i, duration);
    const auto first = static_cast<int64_t>(rng.Below(static_cast<uint64_t>(i) + 1));
    ASSERT_EQ(gaps.Since(first), *std::max_element(all.begin() + first, all.end()));
  }
  EXPECT_EQ(gaps.Since(3000), kUnset);
}

TEST(GapMaximumTest, DropBeforeKeepsTheAnswersAfter) {
  GapMaximum gaps;
  for (int64_t i = 0; i < 100; ++i) gaps.Push(i, 1000 - i);
  EXPECT_EQ(gaps.size(), 100u);
  gaps.DropBefore(60);
  EXPECT_EQ(gaps.size(), 40u);
  EXPECT_EQ(gaps.Since(60), 940);
  EXPECT_EQ(gaps.Since(99), 901);
}

}  // namespace
}  // namespace tokensim
