#include "clients/cli/sparkline.h"

#include <gtest/gtest.h>

namespace tokensim::cli {
namespace {

TEST(Sparkline, HeightsAreRelativeToTheTop) {
  EXPECT_EQ(Sparkline({0, 1, 4, 8}, 10, 8, false), " .=@");
  EXPECT_EQ(Sparkline({0, 4, 8}, 10, 8, true), " ▄█");
  EXPECT_EQ(Sparkline({0, 2}, 10, 0, false), " @");
  EXPECT_EQ(Sparkline({0, 0}, 10, 0, false), "  ");
  EXPECT_EQ(Sparkline({}, 10, 0, false), "");
}

TEST(Sparkline, SmallValuesAreNotInvisible) { EXPECT_EQ(Sparkline({0.01}, 10, 8, false), "."); }

TEST(Sparkline, AveragesIntoTheWidth) {
  EXPECT_EQ(Sparkline({0, 8, 8, 8, 0, 0}, 3, 8, false), "=@ ");
}

}  // namespace
}  // namespace tokensim::cli
