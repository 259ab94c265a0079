#include "engine/worker/live_request.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

namespace tokensim {
namespace {

// Enough for small chunks and several huge pages.
constexpr int64_t kMany = 40'000;

TEST(RequestSlabTest, RequestsStayWhereTheyAre) {
  RequestSlab slab;
  std::vector<RequestHandle> handles;
  std::vector<LiveRequest*> addresses;
  for (int64_t i = 0; i < kMany; ++i) {
    const RequestHandle handle = slab.Allocate();
    EXPECT_EQ(slab[handle].id, 0);
    EXPECT_EQ(slab[handle].worker, -1);
    slab[handle].id = i;
    slab[handle].shared.assign(3, static_cast<BlockId>(i));
    handles.push_back(handle);
    addresses.push_back(&slab[handle]);
  }
  EXPECT_EQ(slab.live(), kMany);
  EXPECT_EQ(std::set<LiveRequest*>(addresses.begin(), addresses.end()).size(), handles.size());
  for (size_t i = 0; i < handles.size(); ++i) {
    ASSERT_EQ(&slab[handles[i]], addresses[i]);
    ASSERT_EQ(slab[handles[i]].id, static_cast<int64_t>(i));
    ASSERT_EQ(slab[handles[i]].shared.size(), 3u);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(addresses[i]) % alignof(LiveRequest), 0u);
  }
}

TEST(RequestSlabTest, AFreedSlotIsUsedAgainAsNew) {
  RequestSlab slab;
  const RequestHandle first = slab.Allocate();
  const RequestHandle second = slab.Allocate();
  slab[first].id = 7;
  slab[first].shared.assign(5, 1);
  slab.Free(first);
  EXPECT_EQ(slab.live(), 1);
  const RequestHandle third = slab.Allocate();
  EXPECT_EQ(third, first);
  EXPECT_NE(third, second);
  EXPECT_EQ(slab[third].id, 0);
  EXPECT_TRUE(slab[third].shared.empty());
}

}  // namespace
}  // namespace tokensim
