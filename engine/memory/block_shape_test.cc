// The figures worked out for vLLM's hybrid KV cache manager.
#include "engine/memory/block_shape.h"

#include <gtest/gtest.h>

namespace tokensim {
namespace {

TEST(BlockShape, GptOss120bHasTwoGroupsOf18Layers) {
  const BlockLayoutConfig layout =
      ShapeBlocks({{.layers = 18, .token_bytes = 2'048}, {18, 2'048, 128}}, {.block_size = 16});
  EXPECT_EQ(layout.block_bytes, 589'824);
  ASSERT_EQ(layout.groups.size(), 2u);
  const BlockGroup full = {.block_size = 16, .token_bytes = 18 * 2'048};
  EXPECT_EQ(layout.groups[0], full);
  BlockGroup window = full;
  window.window = 128;
  EXPECT_EQ(layout.groups[1], window);
}

// 60 layers, of which 15 attend: 2 KV heads of 256, 16-bit; gated delta nets with a 32-bit state.
TEST(BlockShape, Qwen35EnlargesBlocksToItsStates) {
  const int64_t state = 64 * 128 * 128 * 4 + 12'288 * 3 * 2;
  ASSERT_EQ(state, 4'268'032);
  const BlockLayoutConfig layout =
      ShapeBlocks({{.layers = 15, .token_bytes = 2'048}, {.layers = 45, .state_bytes = state}}, {});
  EXPECT_EQ(layout.groups[0].block_size, 2'096);
  EXPECT_EQ(layout.block_bytes, 15 * int64_t{4'292'608});
  EXPECT_EQ(layout.groups[0].count, 1);
  EXPECT_EQ(layout.groups[1].count, 3);
  EXPECT_EQ(layout.groups[1].state_blocks, 1);
  const BlockLayout blocks(layout);
  EXPECT_EQ(blocks.Held(4'000), 2 + 3);
  EXPECT_EQ(blocks.Held(4'000) * blocks.block_bytes(), 321'945'600);

  // On 8 devices: one KV head each.
  const BlockLayoutConfig split =
      ShapeBlocks({{.layers = 15, .token_bytes = 1'024}, {.layers = 45, .state_bytes = state / 8}},
                  {.devices = 8});
  EXPECT_EQ(split.groups[0].block_size, 528);
  EXPECT_EQ(split.block_bytes, 8 * 15 * 528 * int64_t{1'024});
}

// 50 layers with a window and 10 without, whose entries are half as large.
TEST(BlockShape, Gemma4GivesSmallEntriesMoreTokens) {
  const BlockLayoutConfig layout =
      ShapeBlocks({{.layers = 10, .token_bytes = 8'192}, {50, 16'384, 1'024}}, {});
  EXPECT_EQ(layout.block_bytes, 16 * int64_t{16'384} * 10);
  EXPECT_EQ(layout.groups[0].block_size, 32);
  EXPECT_EQ(layout.groups[0].count, 1);
  EXPECT_EQ(layout.groups[1].block_size, 16);
  EXPECT_EQ(layout.groups[1].count, 5);
  EXPECT_EQ(CommonBlockSize(layout), 32);
}

TEST(BlockShape, ShortGroupsArePadded) {
  // 13 is less than 1.5 x 10: one group of 13 each, 3 layers wasted.
  const BlockLayoutConfig close = ShapeBlocks({{10, 100}, {13, 100, 64}}, {});
  EXPECT_EQ(close.block_bytes, 16 * 100 * 13);
  EXPECT_EQ(close.groups[0].count + close.groups[1].count, 2);
  // 15 is not: two groups of the larger kind.
  const BlockLayoutConfig apart = ShapeBlocks({{10, 100}, {15, 100, 64}}, {});
  EXPECT_EQ(apart.block_bytes, 16 * 100 * 10);
  EXPECT_EQ(apart.groups[1].count, 2);
  EXPECT_EQ(apart.groups[1].token_bytes, 1'500);  // what is sent is not padded
}

TEST(BlockShape, EntriesOfNoWholeRatioArePadded) {
  const BlockLayoutConfig layout = ShapeBlocks({{4, 300}, {4, 200, 64}}, {});
  EXPECT_EQ(layout.groups[1].block_size, 16);
  EXPECT_EQ(layout.block_bytes, 16 * 300 * 4);
}

TEST(BlockShape, OneKindIsOneGroup) {
  const BlockLayoutConfig layout = ShapeBlocks({{32, 4'096}}, {.block_size = 32, .devices = 2});
  EXPECT_EQ(layout.block_bytes, 32 * 32 * 4'096 * 2);
  EXPECT_EQ(layout.groups.size(), 1u);
  EXPECT_EQ(layout.groups[0].count, 1);
  // Nothing but states: a page is a state.
  EXPECT_EQ(ShapeBlocks({{.layers = 4, .state_bytes = 1'000}}, {}).block_bytes, 4'000);
}

}  // namespace
}  // namespace tokensim
