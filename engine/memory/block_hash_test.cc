#include "engine/memory/block_hash.h"

#include <gtest/gtest.h>

#include <set>

namespace tokensim {
namespace {

TEST(BlockHashTest, TextThatNobodySharesHasNone) {
  EXPECT_EQ(BlockHash(PromptText{}, 0, 16), 0U);
  EXPECT_EQ(BlockHash(PromptText{.prefix_group = 1, .prefix_tokens = 40}, 2, 16), 0U);
}

TEST(BlockHashTest, GroupsShareTheirWholeBlocks) {
  const PromptText a{.prefix_group = 1, .prefix_tokens = 40, .conversation = 8};
  const PromptText b{.prefix_group = 1, .prefix_tokens = 40, .conversation = 9};
  EXPECT_EQ(BlockHash(a, 0, 16), BlockHash(b, 0, 16));
  EXPECT_EQ(BlockHash(a, 1, 16), BlockHash(b, 1, 16));
  // Tokens 32 .. 47: the group's text ends at 40.
  EXPECT_NE(BlockHash(a, 2, 16), BlockHash(b, 2, 16));
  EXPECT_NE(BlockHash(a, 2, 16), 0U);
}

TEST(BlockHashTest, ConversationsShareWithThemselves) {
  const PromptText turn{.conversation = 0};
  EXPECT_NE(BlockHash(turn, 0, 16), 0U);
  EXPECT_EQ(BlockHash(turn, 5, 16), BlockHash(PromptText{.conversation = 0}, 5, 16));
  EXPECT_NE(BlockHash(turn, 5, 16), BlockHash(PromptText{.conversation = 1}, 5, 16));
}

TEST(BlockHashTest, TraceIdsNameWhatTheyCover) {
  const int64_t first[] = {70, 71};
  const int64_t second[] = {70, 99};
  const PromptText a{.hash_ids = first, .hash_block_tokens = 32};
  const PromptText b{.hash_ids = second, .hash_block_tokens = 32};
  EXPECT_EQ(BlockHash(a, 0, 16), BlockHash(b, 0, 16));  // tokens 0 .. 15, id 70
  EXPECT_EQ(BlockHash(a, 1, 16), BlockHash(b, 1, 16));  // tokens 16 .. 31, id 70
  EXPECT_NE(BlockHash(a, 2, 16), BlockHash(b, 2, 16));  // tokens 32 .. 47, ids 71 and 99
  EXPECT_EQ(BlockHash(a, 4, 16), 0U);                   // beyond the ids
  // A block across two ids is named by the second, which stands for everything before it.
  EXPECT_NE(BlockHash(a, 0, 48), BlockHash(b, 0, 48));
}

TEST(BlockHashTest, TraceIdsComeBeforeGroupsAndConversations) {
  const int64_t ids[] = {70};
  const PromptText text{.prefix_group = 1,
                        .prefix_tokens = 100,
                        .conversation = 3,
                        .hash_ids = ids,
                        .hash_block_tokens = 16};
  EXPECT_EQ(BlockHash(text, 0, 16),
            BlockHash(PromptText{.hash_ids = ids, .hash_block_tokens = 16}, 0, 16));
  EXPECT_EQ(BlockHash(text, 1, 16),
            BlockHash(PromptText{.prefix_group = 1, .prefix_tokens = 100}, 1, 16));
  EXPECT_EQ(BlockHash(text, 7, 16), BlockHash(PromptText{.conversation = 3}, 7, 16));
}

TEST(BlockHashTest, DifferentTextHasDifferentHashes) {
  std::set<uint64_t> hashes;
  for (int64_t i = 0; i < 300; ++i) {
    const int64_t ids[] = {i};
    for (int64_t block = 0; block < 30; ++block) {
      hashes.insert(BlockHash(
          PromptText{.prefix_group = static_cast<uint64_t>(i), .prefix_tokens = 1000}, block, 16));
      hashes.insert(BlockHash(PromptText{.conversation = i}, block, 16));
      hashes.insert(BlockHash(PromptText{.hash_ids = ids, .hash_block_tokens = 1000}, block, 16));
    }
  }
  EXPECT_EQ(hashes.size(), 3U * 300 * 30);
  EXPECT_EQ(hashes.count(0), 0U);
}

}  // namespace
}  // namespace tokensim
