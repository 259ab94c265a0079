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
    slab.Extras(handle).shared.assign(3, static_cast<BlockId>(i));
    handles.push_back(handle);
    addresses.push_back(&slab[handle]);
  }
  EXPECT_EQ(slab.live(), kMany);
  EXPECT_EQ(std::set<LiveRequest*>(addresses.begin(), addresses.end()).size(), handles.size());
  for (size_t i = 0; i < handles.size(); ++i) {
    ASSERT_EQ(&slab[handles[i]], addresses[i]);
    ASSERT_EQ(slab[handles[i]].id, static_cast<int64_t>(i));
    ASSERT_EQ(slab[handles[i]].extras->shared.size(), 3u);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(addresses[i]) % alignof(LiveRequest), 0u);
  }
}

TEST(RequestSlabTest, ExtrasAreUsedAgainAsNew) {
  RequestSlab slab;
  const RequestHandle first = slab.Allocate();
  RequestExtras& extras = slab.Extras(first);
  EXPECT_EQ(&slab.Extras(first), &extras);
  extras.text.prefix_tokens = 5;
  extras.kv_transfer = extras.decode_queueing = 9;
  slab.AwaitDecode(first, 3);
  slab.Free(first);
  const RequestHandle second = slab.Allocate();
  EXPECT_FALSE(slab[second].awaits_decode);
  EXPECT_EQ(&slab.Extras(second), &extras);
  EXPECT_EQ(extras.text.prefix_tokens, 0);
  EXPECT_EQ(extras.kv_transfer, kUnset);
  EXPECT_EQ(extras.handed_on, kUnset);
  EXPECT_EQ(extras.decode_queueing, kUnset);
}

TEST(RequestSlabTest, AFreedSlotIsUsedAgainAsNew) {
  RequestSlab slab;
  const RequestHandle first = slab.Allocate();
  const RequestHandle second = slab.Allocate();
  slab[first].id = 7;
  slab.Extras(first).shared.assign(5, 1);
  slab.Free(first);
  EXPECT_EQ(slab.live(), 1);
  const RequestHandle third = slab.Allocate();
  EXPECT_EQ(third, first);
  EXPECT_NE(third, second);
  EXPECT_EQ(slab[third].id, 0);
  EXPECT_EQ(slab[third].extras, nullptr);
  EXPECT_TRUE(slab.Extras(third).shared.empty());
}

}  // namespace
}  // namespace tokensim
