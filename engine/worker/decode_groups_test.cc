#include "engine/worker/decode_groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

int64_t Attended(const WindowContext& context, int64_t computed) {
  const auto [size, chunked] = context.window;
  return chunked ? computed % size + 1 : std::min<int64_t>(computed + 1, size);
}

TEST(DecodeGroupsTest, CountsEqualAWalkOverTheMembers) {
  const BlockLayout layout({.groups = {{.block_size = 4},
                                       {.count = 3, .block_size = 2, .window = 1},
                                       {.block_size = 16, .window = 7},
                                       {.count = 2, .block_size = 3, .window = 40},
                                       {.block_size = 5, .window = 40},  // the same window
                                       {.block_size = 4, .window = 12, .chunked = true},
                                       {.block_size = 1, .window = 12, .chunked = true},
                                       {.state_blocks = 2}}});
  const std::vector<AttentionWindow> asked = {{40}, {9}, {12, true}, {5, true}, {1}};
  DecodeGroups groups(layout, asked);
  ASSERT_EQ(groups.windows().size(), asked.size());
  std::vector<int64_t> members;  // tokens in the cache
  RngStream rng(7, "decode groups");
  for (int iteration = 0; iteration < 5000; ++iteration) {
    int64_t due = 0;
    for (const int64_t computed : members) due += layout.ToAdd(computed, computed + 1);
    ASSERT_EQ(groups.blocks_due(), due) << iteration;
    for (const WindowContext& context : groups.windows()) {
      int64_t tokens = 0;
      for (const int64_t computed : members) tokens += Attended(context, computed);
      ASSERT_EQ(context.context, tokens) << iteration << " " << context.window.tokens;
    }
    int64_t given_up = 0;
    for (int64_t& computed : members) {
      given_up += layout.ToGiveUp(computed, computed + 1);
      ++computed;
    }
    ASSERT_EQ(groups.Advance(), given_up) << iteration;
    for (uint64_t joins = rng.Below(3); joins > 0; --joins) {
      members.push_back(1 + static_cast<int64_t>(rng.Below(100)));
      groups.Join(members.back());
    }
    for (uint64_t leaves = rng.Below(3); leaves > 0 && !members.empty(); --leaves) {
      const size_t i = rng.Below(members.size());
      groups.Leave(members[i]);
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

TEST(DecodeGroupsTest, WhoLeavesBeforeAWindowIsFullIsForgotten) {
  const BlockLayout layout({.groups = {{.block_size = 1, .window = 4}}});
  DecodeGroups groups(layout, {{.tokens = 4}});
  groups.Join(1);
  groups.Leave(1);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(groups.Advance(), 0);
  EXPECT_EQ(groups.windows()[0].context, 0);
  groups.Join(2);  // one more token, and the next that it computes puts out the first
  EXPECT_EQ(groups.Advance(), 0);
  EXPECT_EQ(groups.windows()[0].context, 4);
  EXPECT_EQ(groups.Advance(), 1);
  EXPECT_EQ(groups.windows()[0].context, 4);
}

}  // namespace
}  // namespace tokensim
