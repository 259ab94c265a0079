#include "server/session/fair_queue.h"

#include "gtest/gtest.h"

namespace tokensim {
namespace {

FairQueue::Entry Entry(const std::string& tenant, const std::string& id) {
  return {{tenant, id}, tenant + id, SteadyTime{}};
}

std::string PopAll(FairQueue& queue) {
  std::string out;
  while (const auto entry = queue.Pop()) out += entry->name.tenant + entry->name.id + " ";
  return out;
}

TEST(FairQueue, FirstComeFirstServed) {
  FairQueue queue;
  for (const char* id : {"1", "2", "3"}) queue.Push(Entry("a", id));
  EXPECT_EQ(queue.size(), 3);
  EXPECT_EQ(PopAll(queue), "a1 a2 a3 ");
  EXPECT_EQ(queue.size(), 0);
}

TEST(FairQueue, TenantsTakeTurns) {
  FairQueue queue;
  for (int i = 0; i < 4; ++i) queue.Push(Entry("a", std::to_string(i)));
  queue.Push(Entry("c", "0"));
  queue.Push(Entry("b", "0"));
  queue.Push(Entry("b", "1"));
  EXPECT_EQ(PopAll(queue), "a0 b0 c0 a1 b1 a2 a3 ");
}

TEST(FairQueue, ALateTenantWaitsForOneTurnOnly) {
  FairQueue queue;
  for (int i = 0; i < 10'000; ++i) queue.Push(Entry("a", std::to_string(i)));
  EXPECT_EQ(queue.Pop()->name.tenant, "a");
  queue.Push(Entry("b", "0"));
  EXPECT_EQ(queue.Pop()->name.tenant, "b");
  EXPECT_EQ(queue.Pop()->name.id, "1");
}

TEST(FairQueue, Removes) {
  FairQueue queue;
  for (const char* id : {"1", "2", "3"}) queue.Push(Entry("a", id));
  EXPECT_TRUE(queue.Remove("a", "a2"));
  EXPECT_FALSE(queue.Remove("a", "a2"));
  EXPECT_FALSE(queue.Remove("b", "b1"));
  EXPECT_EQ(queue.size(), 2);
  EXPECT_EQ(PopAll(queue), "a1 a3 ");
}

}  // namespace
}  // namespace tokensim
