// What can be found of a layout's blocks, and what windows leave behind.
#include "engine/worker/group_cache.h"

#include <gtest/gtest.h>

#include "engine/worker/kv_manager.h"

namespace tokensim {
namespace {

// Blocks of 4 tokens: one group keeps all, two a window of 6, so 5 tokens for the next one.
const BlockLayout kWindows({.groups = {{.block_size = 4},
                                       {.count = 2, .block_size = 4, .window = 6}},
                            .largest_chunk = 64});
// A chunk of 8 tokens beside.
const BlockLayout kChunks({.groups = {{.block_size = 4},
                                      {.block_size = 4, .window = 8, .chunked = true}},
                           .largest_chunk = 64});

class Prompts {
 public:
  // Of the text of one conversation.
  LiveRequest* Make(int32_t input, int32_t output = 100) {
    const RequestHandle handle = slab_.Allocate();
    LiveRequest& r = slab_[handle];
    r.input_tokens = input;
    r.output_tokens = output;
    slab_.Extras(handle).text = {.conversation = 7};
    return &r;
  }

 private:
  RequestSlab slab_;
};

KvConfig ConfigOf(const BlockLayout& layout, int64_t blocks) {
  return {.kv_blocks = blocks, .block_size = 4, .layout = &layout, .prefix_caching = true};
}

// The whole prompt in one iteration.
void Compute(LiveRequest* r, KvManager* kv) {
  const Admission admission = kv->Plan(*r);
  const int32_t tokens = admission.target - admission.cached;
  kv->Admit(r, admission, tokens);
  kv->Register(r, admission.target);
  r->computed = admission.target;
  kv->GiveUp(r, admission.cached, tokens);
}

TEST(GroupCacheTest, AHitNeedsWhatTheWindowNeeds) {
  Prompts prompts;
  KvManager kv(ConfigOf(kWindows, 100));
  LiveRequest* first = prompts.Make(41);
  Compute(first, &kv);
  // 11 blocks of all, tokens 36 to 40 of the windows; what they left can still be found.
  EXPECT_EQ(kv.pool().used(), 11 + 2 * 2);
  EXPECT_EQ(kv.pool().cache()->cached(), 10 + 2 * 10);
  LiveRequest* second = prompts.Make(31);
  EXPECT_EQ(kv.HitTokens(*second), 28);
  const Admission admission = kv.Plan(*second);
  EXPECT_EQ(admission.cached, 28);
  EXPECT_EQ(admission.free_hits, 2 * 2);  // blocks 5 and 6 of both windows
  kv.Admit(second, admission, 3);
  EXPECT_EQ(second->extras->shared.size(), 7u);
  EXPECT_EQ(second->extras->windowed.size(), 4u);
  second->computed = 31;
  kv.GiveUp(second, 28, 3);
  kv.Free(kv.Take(second));
  kv.Free(kv.Take(first));
  EXPECT_EQ(kv.pool().used(), 0);
}

TEST(GroupCacheTest, ABlockThatIsMissingRulesOutWhatNeedsIt) {
  Prompts prompts;
  KvManager kv(ConfigOf(kWindows, 44));
  LiveRequest* first = prompts.Make(40);
  Compute(first, &kv);
  // 30 are free: 14 without content, then 16 that the windows left, the second one's in front and
  // of each the last first. So blocks 7 and 6 of the second window are taken.
  kv.pool().Allocate(14 + 2);
  LiveRequest* second = prompts.Make(100);
  EXPECT_EQ(kv.HitTokens(*second), 40);  // blocks 8 and 9 are held
  LiveRequest* third = prompts.Make(36);
  EXPECT_EQ(kv.HitTokens(*third), 24);  // 32 needs blocks 6 and 7, 28 needs 5 and 6
  kv.pool().Free(14 + 2);
  kv.Free(kv.Take(first));
}

TEST(GroupCacheTest, AChunkNeedsOnlyItself) {
  Prompts prompts;
  KvManager kv(ConfigOf(kChunks, 24));
  LiveRequest* first = prompts.Make(45);
  Compute(first, &kv);
  EXPECT_EQ(kv.pool().used(), 12 + 2);
  EXPECT_EQ(kv.HitTokens(*prompts.Make(45)), 44);
  EXPECT_EQ(kv.HitTokens(*prompts.Make(42)), 40);  // where a chunk begins it needs nothing
  // 10 are free, all left by the window: the one that was given back first, block 9, is taken.
  kv.pool().Allocate(1);
  EXPECT_EQ(kv.HitTokens(*prompts.Make(40)), 36);
  kv.pool().Allocate(7);
  EXPECT_EQ(kv.HitTokens(*prompts.Make(40)), 32);
  kv.pool().Free(8);
  kv.Free(kv.Take(first));
  EXPECT_EQ(kv.pool().used(), 0);
}

TEST(GroupCacheTest, DecodesLeaveBehindWhatCanBeFound) {
  Prompts prompts;
  KvManager kv(ConfigOf(kWindows, 100));
  LiveRequest* r = prompts.Make(40);
  Compute(r, &kv);
  ASSERT_EQ(kv.pool().used(), 10 + 2 * 2);
  ASSERT_EQ(r->extras->windowed.size(), 4u);  // blocks 8 and 9
  r->decoding = true;
  kv.BeginDecode(r);
  // Block 8, of tokens 32 to 35, goes when 36 is the first that is kept: with 41 tokens.
  kv.pool().Allocate(3);
  kv.EndDecodeIteration(2);
  EXPECT_EQ(kv.pool().used(), 10 + 2 * 2 + 1);
  EXPECT_EQ(r->extras->windowed.size(), 2u);
  EXPECT_EQ(kv.HitTokens(*prompts.Make(37)), 36);  // of block 8 the content is there
  for (int i = 42; i < 45; ++i) kv.EndDecodeIteration(0);
  kv.EndDecodeIteration(2);
  EXPECT_TRUE(r->extras->windowed.empty());
  r->decoding = false;
  r->computed = 45;
}

TEST(GroupCacheTest, WhoLeftGivesUpNothing) {
  Prompts prompts;
  KvManager kv(ConfigOf(kWindows, 100));
  LiveRequest* r = prompts.Make(40);
  Compute(r, &kv);
  r->decoding = true;
  kv.BeginDecode(r);
  r->decoding = false;
  kv.Free(kv.Take(r));
  EXPECT_EQ(kv.pool().used(), 0);
  kv.EndDecodeIteration(0);
  EXPECT_EQ(kv.pool().used(), 0);
  EXPECT_EQ(kv.HitTokens(*prompts.Make(41)), 40);
}

}  // namespace
}  // namespace tokensim
