#include "engine/memory/host_tier.h"

#include <gtest/gtest.h>

namespace tokensim {
namespace {

TEST(HostTierTest, CountsWhatIsUsed) {
  HostTier host(10);
  EXPECT_TRUE(host.CanHold(10));
  EXPECT_FALSE(host.CanHold(11));
  host.Allocate(7);
  EXPECT_FALSE(host.CanHold(4));
  host.Free(5);
  host.Allocate(1);
  EXPECT_EQ(host.used(), 3);
  EXPECT_EQ(host.max_used(), 7);
}

TEST(HostTierTest, RefusesToBreakItsInvariant) {
  HostTier host(10);
  EXPECT_THROW(host.Allocate(11), InvariantError);
  EXPECT_THROW(host.Free(1), InvariantError);
}

}  // namespace
}  // namespace tokensim
