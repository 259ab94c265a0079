#include "engine/worker/wait_list.h"

#include <gtest/gtest.h>

namespace tokensim {
namespace {

TEST(WaitListTest, TheOldestIsTheFirstThatIsStillThere) {
  RequestSlab slab;
  WaitList waits(slab);
  EXPECT_EQ(waits.oldest(), kNever);
  const RequestHandle a = slab.Allocate();
  const RequestHandle b = slab.Allocate();
  const RequestHandle c = slab.Allocate();
  waits.Add(a, 10);
  waits.Add(b, 20);
  waits.Add(c, 30);
  EXPECT_EQ(waits.oldest(), 10);
  waits.Remove(b);
  EXPECT_EQ(waits.oldest(), 10);
  waits.Remove(a);
  EXPECT_EQ(waits.oldest(), 30);
  waits.Add(a, 40);  // again, as the last
  EXPECT_EQ(waits.oldest(), 30);
  waits.Remove(c);
  EXPECT_EQ(waits.oldest(), 40);
  waits.Remove(a);
  EXPECT_EQ(waits.oldest(), kNever);
}

TEST(WaitListTest, OneThatIsInNoListIsLeftAlone) {
  RequestSlab slab;
  WaitList waits(slab);
  const RequestHandle a = slab.Allocate();
  const RequestHandle b = slab.Allocate();
  waits.Add(a, 10);
  waits.Remove(b);
  EXPECT_EQ(waits.oldest(), 10);
}

TEST(WaitListTest, ClearTakesEverybodyOut) {
  RequestSlab slab;
  WaitList waits(slab);
  const RequestHandle a = slab.Allocate();
  const RequestHandle b = slab.Allocate();
  waits.Add(a, 10);
  waits.Add(b, 20);
  waits.Clear();
  EXPECT_EQ(waits.oldest(), kNever);
  EXPECT_EQ(slab.Extras(a).waits_since, kUnset);
  waits.Add(b, 30);
  EXPECT_EQ(waits.oldest(), 30);
}

}  // namespace
}  // namespace tokensim
