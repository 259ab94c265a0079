#include "engine/memory/block_pool.h"

#include <gtest/gtest.h>

namespace tokensim {
namespace {

TEST(BlockPoolTest, BlocksForRoundsUp) {
  const BlockPool pool(10, 16);
  EXPECT_EQ(pool.BlocksFor(0), 0);
  EXPECT_EQ(pool.BlocksFor(1), 1);
  EXPECT_EQ(pool.BlocksFor(16), 1);
  EXPECT_EQ(pool.BlocksFor(17), 2);
  EXPECT_EQ(pool.BlocksFor(2'000'000'000), 125'000'000);
}

TEST(BlockPoolTest, CountsWhatIsUsed) {
  BlockPool pool(10, 16);
  pool.Allocate(7);
  EXPECT_EQ(pool.used(), 7);
  EXPECT_EQ(pool.free(), 3);
  pool.Free(5);
  EXPECT_EQ(pool.used(), 2);
}

TEST(BlockPoolTest, RefusesToBreakItsInvariant) {
  BlockPool pool(10, 16);
  EXPECT_THROW(pool.Allocate(11), InvariantError);
  EXPECT_THROW(pool.Free(1), InvariantError);
  pool.Allocate(10);
  EXPECT_THROW(pool.Allocate(1), InvariantError);
}

TEST(BlockPoolTest, CachedBlocksThatNobodyHoldsAreFree) {
  BlockPool pool(10, 16, /*prefix_caching=*/true);
  pool.Allocate(4);
  const BlockId id = pool.cache()->Insert(99);
  EXPECT_EQ(pool.used(), 4);
  pool.Free(3);
  pool.cache()->Release(id);
  EXPECT_EQ(pool.used(), 0);
  EXPECT_EQ(pool.cache()->cached_free(), 1);
  pool.cache()->Acquire(id);
  EXPECT_EQ(pool.free(), 9);
  EXPECT_THROW(pool.Allocate(10), InvariantError);
  EXPECT_THROW(pool.Free(1), InvariantError);
  EXPECT_EQ(BlockPool(10, 16).cache(), nullptr);
}

}  // namespace
}  // namespace tokensim
