#include "engine/memory/block_layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace tokensim {
namespace {

BlockLayout OneGroup(const BlockGroup& group, int64_t chunk = 0) {
  return BlockLayout({.groups = {group}, .block_bytes = 100, .largest_chunk = chunk});
}

// Blocks with a token below `to` that the token after `from`, or a later one, attends to, and those
// behind them: one by one.
int64_t Naive(const BlockGroup& group, int64_t from, int64_t to) {
  std::set<int64_t> blocks;
  for (int64_t token = 0; token < to; ++token) {
    const int64_t block = token / group.block_size;
    const int64_t last = (block + 1) * group.block_size - 1;
    const int64_t first = group.window == 0 ? 0
                          : group.chunked   ? from - from % group.window
                                            : from - group.window + 1;
    if (last >= first) blocks.insert(block);
  }
  return static_cast<int64_t>(blocks.size());
}

TEST(BlockLayout, HoldsTheBlocksOfTheTokensThatAreAttendedTo) {
  const BlockGroup groups[] = {{.block_size = 4},
                               {.block_size = 4, .window = 1},
                               {.block_size = 4, .window = 6},
                               {.block_size = 1, .window = 5},
                               {.block_size = 16, .window = 7},
                               {.block_size = 4, .window = 8, .chunked = true},
                               {.block_size = 3, .window = 3, .chunked = true}};
  for (const BlockGroup& group : groups) {
    const BlockLayout layout = OneGroup(group);
    for (int64_t from = 0; from < 60; ++from) {
      for (int64_t to = from; to < 60; ++to) {
        ASSERT_EQ(layout.InStep(from, to), Naive(group, from, to))
            << group.window << " " << group.block_size << ": " << from << " to " << to;
        ASSERT_EQ(layout.Held(from) + layout.ToAdd(from, to) - layout.ToGiveUp(from, to),
                  layout.Held(to));
        ASSERT_GE(layout.ToAdd(from, to), 0);
        ASSERT_GE(layout.ToGiveUp(from, to), 0);
      }
    }
  }
}

TEST(BlockLayout, ReachesAsMuchAsAnyWayInChunksNeeds) {
  const BlockGroup groups[] = {{.block_size = 4},
                               {.block_size = 4, .window = 6},
                               {.block_size = 3, .window = 1},
                               {.block_size = 4, .window = 8, .chunked = true}};
  for (const BlockGroup& group : groups) {
    for (const int64_t chunk : {1, 3, 5, 16}) {
      const BlockLayout layout = OneGroup(group, chunk);
      for (int64_t from = 0; from < 40; ++from) {
        for (int64_t to = from + 1; to < 60; ++to) {
          for (int64_t first = 1; first <= chunk; ++first) {  // then whole ones
            int64_t most = 0;
            int64_t end = std::min(to, from + first);
            for (int64_t at = from; at < to; at = end, end = std::min(to, at + chunk)) {
              most = std::max(most, layout.InStep(at, end));
            }
            ASSERT_LE(most, layout.ToReach(from, to)) << from << " " << to;
          }
          ASSERT_GE(layout.ToReach(from, to), layout.Held(from));
          ASSERT_GE(layout.ToReach(from, to), layout.ToReach(from, to - 1));
        }
      }
    }
  }
}

TEST(BlockLayout, OneFullGroupIsAPlainPool) {
  const BlockLayout layout = OneGroup({.block_size = 16, .token_bytes = 10}, 100);
  EXPECT_EQ(layout.Held(0), 0);
  EXPECT_EQ(layout.Held(33), 3);
  EXPECT_EQ(layout.ToReach(16, 33), 3);
  EXPECT_EQ(layout.MostTokens(3, 1000), 48);
  EXPECT_EQ(layout.MostTokens(3, 40), 40);
  EXPECT_EQ(layout.Bytes(33), 330);
}

TEST(BlockLayout, WindowsBoundWhatALongRequestNeeds) {
  // The cap of vLLM: ceil((W - 1 + chunk) / block) + 1.
  const BlockLayout layout = OneGroup({.block_size = 16, .window = 128, .token_bytes = 10}, 512);
  EXPECT_EQ(layout.ToReach(0, 100'000), (127 + 512 + 15) / 16 + 1);
  EXPECT_EQ(layout.MostTokens(41, 1'000'000), 1'000'000);
  EXPECT_EQ(layout.MostTokens(40, 1'000'000), 640);
  EXPECT_EQ(layout.Bytes(100'000), 1270);  // the next token sees 127 of them
}

// engines.md 3.3: a request of 4,000 tokens holds 2 + 3 blocks of Qwen3.5-397B.
TEST(BlockLayout, StatesTakeTheSameWhateverTheLength) {
  const BlockLayout layout(
      {.groups = {{.block_size = 2096, .token_bytes = 30'720},
                  {.count = 3, .state_blocks = 1, .state_bytes = 45 * int64_t{4'268'032}}},
       .block_bytes = 15 * int64_t{4'292'608},
       .largest_chunk = 8192});
  EXPECT_EQ(layout.groups().size(), 1u);
  EXPECT_EQ(layout.Held(0), 0);
  EXPECT_EQ(layout.Held(1), 4);
  EXPECT_EQ(layout.Held(4000), 5);
  EXPECT_EQ(layout.Held(4000) * layout.block_bytes(), 321'945'600);
  EXPECT_EQ(layout.ToAdd(0, 100), 4);
  EXPECT_EQ(layout.ToAdd(100, 200), 0);
  EXPECT_EQ(layout.ToGiveUp(0, 200), 0);
  EXPECT_EQ(layout.Bytes(1), 30'720 + 45 * int64_t{4'268'032});
  EXPECT_EQ(layout.Bytes(0), 0);
}

// Of gpt-oss and Gemma: groups that are alike, and blocks of other sizes.
TEST(BlockLayout, GroupsTakeTheirOwnBlocks) {
  const BlockLayout gpt_oss({.groups = {{.block_size = 16}, {.block_size = 16, .window = 128}}});
  EXPECT_EQ(gpt_oss.Held(4000), 250 + 250 - 3873 / 16);
  EXPECT_EQ(gpt_oss.ToAdd(4000, 4001), 2);
  const BlockLayout gemma(
      {.groups = {{.block_size = 32}, {.count = 5, .block_size = 16, .window = 1024}}});
  EXPECT_EQ(gemma.Held(4000), 125 + 5 * (250 - 2977 / 16));
}

}  // namespace
}  // namespace tokensim
