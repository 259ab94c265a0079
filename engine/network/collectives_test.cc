#include "engine/network/collectives.h"

#include <gtest/gtest.h>

namespace tokensim {
namespace {

constexpr double kBandwidth = 1e9;
constexpr double kLatency = 1e-6;
constexpr double kBytes = 8000;  // 8 us on one link

TEST(CollectivesTest, FourDevices) {
  EXPECT_DOUBLE_EQ(PointToPoint(kBandwidth, kLatency).Seconds(kBytes), 9e-6);
  // Three steps of a quarter: 3 x (2 us + 1 us).
  EXPECT_DOUBLE_EQ(RingAllGather(4, kBandwidth, kLatency).Seconds(kBytes), 9e-6);
  EXPECT_DOUBLE_EQ(RingAllReduce(4, kBandwidth, kLatency).Seconds(kBytes), 18e-6);
  EXPECT_DOUBLE_EQ(AllToAll(4, kBandwidth, kLatency).Seconds(kBytes), 9e-6);
}

// The ring step by step: each device hands on a part that it has just received.
TEST(CollectivesTest, RingEqualsItsSteps) {
  for (int32_t n = 1; n <= 9; ++n) {
    double gather = 0;
    for (int32_t step = 1; step < n; ++step) gather += kLatency + kBytes / n / kBandwidth;
    EXPECT_NEAR(RingAllGather(n, kBandwidth, kLatency).Seconds(kBytes), gather, 1e-15) << n;
    EXPECT_NEAR(RingAllReduce(n, kBandwidth, kLatency).Seconds(kBytes), 2 * gather, 1e-15) << n;
  }
}

}  // namespace
}  // namespace tokensim
