// Who gets KV blocks, on requests made by hand.
#include "engine/worker/kv_manager.h"

#include <gtest/gtest.h>

namespace tokensim {
namespace {

LiveRequest Prompt(int32_t tokens) {
  LiveRequest r;
  r.input_tokens = tokens;
  r.output_tokens = 10;
  return r;
}

// Admits it whole and computes it.
void Compute(KvManager* kv, LiveRequest* r) {
  const Admission admission = kv->Plan(*r);
  kv->Admit(r, admission, admission.target - admission.cached);
  kv->Register(r, r->prefill_target());
  r->computed = r->prefill_target();
}

TEST(KvManagerTest, WatermarkHoldsOnlyWhileOthersAreHere) {
  KvManager kv({.kv_blocks = 10, .block_size = 4, .watermark = 0.2});
  const LiveRequest r = Prompt(36);  // 9 blocks, which leave 1 of the 2 that stay free
  const Admission admission = kv.Plan(r);
  EXPECT_EQ(admission.target, 36);
  EXPECT_FALSE(kv.Fits(r, admission, 36, /*alone=*/false));
  EXPECT_TRUE(kv.Fits(r, admission, 32, /*alone=*/false));
  EXPECT_TRUE(kv.Fits(r, admission, 36, /*alone=*/true));
  EXPECT_FALSE(kv.Fits(r, admission, 44, /*alone=*/true));
}

TEST(KvManagerTest, MaxMemoryRatioHoldsForNewRequestsOnly) {
  KvManager kv({.kv_blocks = 10, .block_size = 4, .max_memory_ratio = 0.5});
  LiveRequest r = Prompt(24);
  EXPECT_FALSE(kv.Fits(r, kv.Plan(r), 24, /*alone=*/false));
  r.ran_here = true;
  EXPECT_TRUE(kv.Fits(r, kv.Plan(r), 24, /*alone=*/false));
}

TEST(KvManagerTest, GivesBackWhatItTook) {
  KvManager kv({.kv_blocks = 10, .block_size = 4});
  LiveRequest r = Prompt(10);
  kv.Admit(&r, kv.Plan(r), 5);
  EXPECT_EQ(kv.pool().used(), 2);
  r.computed = 5;
  kv.Extend(r, 5);
  EXPECT_EQ(kv.pool().used(), 3);
  r.computed = 10;
  const Holdings holdings = kv.Take(&r);
  EXPECT_EQ(holdings.blocks, 3);
  EXPECT_EQ(kv.pool().used(), 3);
  kv.Free(holdings);
  EXPECT_EQ(kv.pool().used(), 0);
}

TEST(KvManagerTest, FindsFullBlocksButComputesTheLastToken) {
  KvManager kv({.kv_blocks = 10, .block_size = 4, .prefix_caching = true});
  LiveRequest first = Prompt(8);
  RequestExtras extras{.text = {.prefix_group = 1, .prefix_tokens = 100}};
  RequestExtras others = extras;
  first.extras = &extras;
  LiveRequest second = first;
  second.extras = &others;
  Compute(&kv, &first);
  EXPECT_EQ(kv.HitTokens(second), 4);
  Admission admission = kv.Plan(second);
  EXPECT_EQ(admission.cached, 4);
  EXPECT_EQ(admission.free_hits, 0);  // `first` holds it
  kv.Free(kv.Take(&first));
  EXPECT_EQ(kv.pool().used(), 0);
  admission = kv.Plan(second);
  EXPECT_EQ(admission.cached, 4);
  EXPECT_EQ(admission.free_hits, 1);
  kv.Admit(&second, admission, 4);
  EXPECT_EQ(second.computed, 4);
  EXPECT_EQ(others.shared.size(), 1U);
  EXPECT_EQ(kv.pool().used(), 2);
}

TEST(KvManagerTest, SwapsOutWhatTheHostCanHold) {
  KvManager kv({.kv_blocks = 10, .block_size = 4, .host_blocks = 2});
  LiveRequest small = Prompt(8);
  LiveRequest large = Prompt(9);
  Compute(&kv, &small);
  Compute(&kv, &large);
  EXPECT_EQ(kv.Drop(&large, /*swap=*/true), 0);
  EXPECT_EQ(large.kv_source, KvSource::kNone);
  EXPECT_EQ(kv.Drop(&small, /*swap=*/true), 2);
  EXPECT_EQ(small.computed, 0);
  EXPECT_EQ(small.kv_source, KvSource::kHost);
  EXPECT_EQ(small.kv_tokens, 8);
  EXPECT_EQ(kv.pool().used(), 0);
  EXPECT_EQ(kv.host().used(), 2);
  EXPECT_EQ(kv.SwapIn(&small), 2);
  EXPECT_EQ(small.computed, 8);
  EXPECT_EQ(kv.pool().used(), 2);
  EXPECT_EQ(kv.host().used(), 0);
}

TEST(KvManagerTest, ALoadedBeginningHasTheRestPromised) {
  KvManager kv({.kv_blocks = 10, .block_size = 4});
  LiveRequest r = Prompt(32);
  r.kv_source = KvSource::kPool;
  r.kv_tokens = 8;
  kv.BeginLoad(r);
  EXPECT_EQ(kv.pool().used(), 2);
  EXPECT_EQ(kv.promised(), 6);
  EXPECT_TRUE(kv.HasRoom(2, /*is_new=*/true, /*alone=*/false));
  EXPECT_FALSE(kv.HasRoom(3, /*is_new=*/true, /*alone=*/true));
  kv.FinishLoad(&r);
  EXPECT_EQ(r.computed, 8);
  const Admission admission = kv.Plan(r);
  EXPECT_EQ(admission.held_blocks, 2);
  EXPECT_TRUE(kv.Fits(r, admission, 32, /*alone=*/false));
  kv.Redeem(r);
  EXPECT_EQ(kv.promised(), 0);
  kv.Admit(&r, admission, 24);
  EXPECT_EQ(kv.pool().used(), 8);
}

TEST(KvManagerTest, KeepsOutgoingAndPaddingUntilTold) {
  KvManager kv({.kv_blocks = 10, .block_size = 4});
  LiveRequest outgoing = Prompt(8);
  LiveRequest finished = Prompt(4);
  Compute(&kv, &outgoing);
  Compute(&kv, &finished);
  const Holdings holdings = kv.Take(&outgoing);
  kv.KeepOutgoing();
  kv.KeepAsPadding(kv.Take(&finished));
  EXPECT_EQ(kv.pool().used(), 3);
  EXPECT_EQ(kv.padding_count(), 1);
  kv.ReleasePadding();
  EXPECT_EQ(kv.padding_count(), 0);
  EXPECT_EQ(kv.pool().used(), 2);
  EXPECT_EQ(kv.outgoing(), 1);
  kv.FreeOutgoing(holdings);
  EXPECT_EQ(kv.outgoing(), 0);
  EXPECT_EQ(kv.pool().used(), 0);
}

// What a request generated is its own: a longer prompt of its group does not find it.
TEST(KvManagerTest, BlocksWithOutputAreNotFound) {
  KvManager kv({.kv_blocks = 10, .block_size = 4, .prefix_caching = true});
  RequestExtras extras{.text = {.prefix_group = 1, .prefix_tokens = 100}};
  RequestExtras others = extras;
  LiveRequest first = Prompt(6);
  first.extras = &extras;
  LiveRequest longer = Prompt(12);
  longer.extras = &others;
  Compute(&kv, &first);
  kv.Extend(first, 2);
  first.computed = 8;  // the second block is full of 2 tokens of the prompt and 2 of the output
  kv.Free(kv.Take(&first));
  EXPECT_EQ(kv.HitTokens(longer), 4);
  EXPECT_EQ(kv.Plan(longer).cached, 4);
}

// Of 4-token blocks: one group keeps all, one the last 6 tokens, one a state.
const BlockLayout kLayout(
    {.groups = {{.block_size = 4}, {.block_size = 4, .window = 6}, {.state_blocks = 2}},
     .largest_chunk = 8});

TEST(KvManagerTest, LayoutsTakeAndGiveBackByGroup) {
  KvManager kv({.kv_blocks = 40, .block_size = 4, .layout = &kLayout, .host_blocks = 40});
  LiveRequest r = Prompt(24);
  const Admission admission = kv.Plan(r);
  // All of it: 6, a window with a chunk ceil((5 + 8) / 4) + 1, and the state.
  EXPECT_TRUE(kv.Fits(r, admission, 24, /*alone=*/true));
  EXPECT_EQ(kv.BlocksToReach(0, 24), 6 + 5 + 2);
  kv.Admit(&r, admission, 8);
  EXPECT_EQ(kv.pool().used(), 2 + 2 + 2);
  r.computed = 8;
  kv.GiveUp(&r, r.computed - 8, 8);  // tokens 0 to 2 left the window, their block is not all of them
  EXPECT_EQ(kv.pool().used(), 6);
  kv.Extend(r, 8);
  EXPECT_EQ(kv.pool().used(), 10);
  r.computed = 16;
  kv.GiveUp(&r, r.computed - 8, 8);  // 11 are not needed any more: two blocks
  EXPECT_EQ(kv.pool().used(), 8);
  EXPECT_EQ(kv.pool().used(), kv.BlocksFor(16));
  // To the host and back.
  EXPECT_EQ(kv.Drop(&r, /*swap=*/true), 8);
  EXPECT_EQ(kv.pool().used(), 0);
  EXPECT_EQ(kv.host().used(), 8);
  EXPECT_EQ(kv.SwapIn(&r), 8);
  EXPECT_EQ(kv.pool().used(), 8);
  kv.Free(kv.Take(&r));
  EXPECT_EQ(kv.pool().used(), 0);
}

TEST(KvManagerTest, PromisesAreWhatAWindowStillNeeds) {
  KvManager kv({.kv_blocks = 40, .block_size = 4, .layout = &kLayout});
  LiveRequest r = Prompt(40);
  r.kv_source = KvSource::kPool;
  r.kv_tokens = 20;
  kv.BeginLoad(r);
  EXPECT_EQ(kv.pool().used(), 5 + 2 + 2);  // tokens 15 to 19 of the window, from block 3 on
  EXPECT_EQ(kv.promised(), 5 + 3);         // the other half, and a window with a chunk of 8
  kv.FinishLoad(&r);
  const Admission admission = kv.Plan(r);
  EXPECT_EQ(admission.held_blocks, 9);
  kv.Redeem(r);
  EXPECT_EQ(kv.promised(), 0);
  kv.Admit(&r, admission, 8);
  EXPECT_EQ(kv.pool().used(), 7 + 4 + 2);
}

}  // namespace
}  // namespace tokensim
