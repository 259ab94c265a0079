#include "engine/compute/attention_operators.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tokensim {
namespace {

// The pairs and tokens of a chunk, one query after the other.
AttendedTokens Naive(const PrefillChunk& chunk, int64_t window, bool chunked) {
  AttendedTokens all;
  int64_t first = chunk.history + chunk.new_tokens;
  for (int64_t i = 0; i < chunk.new_tokens; ++i) {
    const int64_t position = chunk.history + i;
    int64_t from = 0;
    if (window > 0) {
      from = chunked ? position - position % window : std::max<int64_t>(0, position - window + 1);
    }
    all.pairs += static_cast<double>(position - from + 1);
    // A chunk that starts within reads nothing of the one before but for its first queries.
    first = std::min(first, from);
  }
  all.tokens = static_cast<double>(chunk.history + chunk.new_tokens - first);
  return all;
}

TEST(AttentionOperatorsTest, PairsAreThoseOfEveryQuery) {
  for (const int32_t window : {0, 1, 7, 16, 100}) {
    for (const bool chunked : {false, true}) {
      if (chunked && window == 0) continue;
      for (const int32_t history : {0, 1, 6, 7, 15, 16, 17, 99, 250}) {
        for (const int32_t tokens : {1, 2, 7, 16, 40, 130}) {
          const PrefillChunk chunk = {.new_tokens = tokens, .history = history};
          const AttendedTokens naive = Naive(chunk, window, chunked);
          const AttendedTokens closed = AttendedBy(chunk, window, chunked);
          EXPECT_EQ(closed.pairs, naive.pairs)
              << window << " " << chunked << " " << history << " " << tokens;
          EXPECT_EQ(closed.tokens, naive.tokens)
              << window << " " << chunked << " " << history << " " << tokens;
        }
      }
    }
  }
}

LayerGroup Heads() {
  return {.count = 1,
          .attention = {.heads = 8, .kv_heads = 2, .head_dim = 64, .value_dim = 32},
          .mlp = {.width = 1}};
}

AttentionOperators Of(const LayerGroup& group, const ParallelismConfig& split = {}) {
  return {group, ShardOf(group, split), 2};
}

TEST(AttentionOperatorsTest, KeysAndValuesMayDiffer) {
  const AttentionWork work = Of(Heads()).Decode(3, 1000);
  EXPECT_EQ(work.flops, 2.0 * 8 * (64 + 32) * 1000);
  EXPECT_EQ(work.bytes, 2.0 * 2 * (64 + 32) * 1000 + 3 * (2.0 * 8 * 96 + 2.0 * 2 * 96));
  EXPECT_EQ(work.index_bytes, 0);
}

TEST(AttentionOperatorsTest, AWindowBoundsWhatADecodeReads) {
  LayerGroup window = Heads();
  window.attention.window = 128;
  for (const int64_t context : {1, 100, 128 * 4}) {
    EXPECT_EQ(Of(window).Decode(4, context).flops, Of(Heads()).Decode(4, context).flops);
  }
  EXPECT_EQ(Of(window).Decode(4, 100'000).flops, Of(Heads()).Decode(4, 4 * 128).flops);
  EXPECT_EQ(Of(window).Decode(4, 100'000).bytes, Of(Heads()).Decode(4, 4 * 128).bytes);
}

// With the sums of the windows decodes are exact: 10 + 200 + 1,000 tokens see 10 + 128 + 128.
TEST(AttentionOperatorsTest, SumsOfWindowsAreExact) {
  LayerGroup window = Heads();
  window.attention.window = 128;
  const WindowContext sums[] = {{{64, false}, 1}, {{128, false}, 266}};
  EXPECT_EQ(Of(window).Decode(3, 1210, sums).flops, 2.0 * 8 * 96 * 266);
  EXPECT_GT(Of(window).Decode(3, 1210).flops, 2.0 * 8 * 96 * 266);
  EXPECT_EQ(Of(Heads()).Decode(3, 1210, sums).flops, 2.0 * 8 * 96 * 1210);
  EXPECT_EQ(WindowsOf(window.attention), (std::vector<AttentionWindow>{{128, false}}));
  window.attention.chunked = true;
  EXPECT_EQ(WindowsOf(window.attention), (std::vector<AttentionWindow>{{128, true}}));
  window.attention.index.top_k = 50;
  window.attention.compression = 4;
  EXPECT_EQ(WindowsOf(window.attention), (std::vector<AttentionWindow>{{128, true}, {200, false}}));
  EXPECT_TRUE(WindowsOf(Heads().attention).empty());
}

LayerGroup Latent() {
  return {.count = 1,
          .attention = {.kind = AttentionKind::kLatent,
                        .heads = 128,
                        .head_dim = 128,
                        .value_dim = 128,
                        .query_rank = 1536,
                        .kv_rank = 512,
                        .rope_dim = 64},
          .mlp = {.width = 1}};
}

// All heads read one latent vector; a prompt expands it.
TEST(AttentionOperatorsTest, LatentDecodesAreAbsorbed) {
  const AttentionWork decode = Of(Latent()).Decode(1, 1000);
  EXPECT_EQ(decode.flops, 2.0 * 128 * (576 + 512) * 1000);
  EXPECT_EQ(decode.bytes, 2.0 * 576 * 1000 + 2.0 * 128 * (576 + 512) + 2.0 * 576);
  const AttentionWork halves = Of(Latent(), {.tensor = 2}).Decode(1, 1000);
  EXPECT_EQ(halves.flops, decode.flops / 2);
  EXPECT_GT(halves.bytes, 0.8 * decode.bytes);  // the vectors are read on both

  const PrefillChunk chunk = {.new_tokens = 100, .history = 900};
  const double pairs = 100.0 * 900 + 5050;
  EXPECT_EQ(Of(Latent()).Prefill({&chunk, 1}).flops,
            pairs * 2 * 128 * (192 + 128) + 900.0 * 2 * 512 * 128 * 256);
}

TEST(AttentionOperatorsTest, AnIndexReadsAllAndAttentionTheBest) {
  LayerGroup sparse = Latent();
  sparse.attention.index = {.heads = 64, .head_dim = 128, .top_k = 2048, .key_bytes = 132};
  const AttentionWork work = Of(sparse).Decode(2, 200'000);
  EXPECT_EQ(work.flops, Of(Latent()).Decode(2, 2 * 2048).flops);
  EXPECT_EQ(work.index_flops, 2.0 * 64 * 128 * 200'000);
  EXPECT_EQ(work.index_bytes, 132.0 * 200'000);
  sparse.attention.index.shares_selection = true;
  EXPECT_EQ(Of(sparse).Decode(2, 200'000).index_bytes, 0);
  EXPECT_EQ(Of(sparse).Decode(2, 200'000).flops, work.flops);
}

TEST(AttentionOperatorsTest, CompressedEntriesComeBesideTheWindow) {
  LayerGroup v4 = Latent();
  v4.attention.direct = true;
  v4.attention.window = 128;
  v4.attention.compression = 4;
  EXPECT_EQ(Of(v4).Decode(1, 10'000).flops, 2.0 * 128 * (576 + 128) * (128 + 2500));
  v4.attention.index = {.heads = 64, .head_dim = 128, .top_k = 512, .key_bytes = 132};
  EXPECT_EQ(Of(v4).Decode(1, 10'000).flops, 2.0 * 128 * (576 + 128) * (128 + 512));
  EXPECT_EQ(Of(v4).Decode(1, 10'000).index_bytes, 132.0 * 2500);
}

TEST(AttentionOperatorsTest, AStateCostsTheSameWhateverTheContext) {
  const LayerGroup linear = {.count = 1,
                             .attention = {.kind = AttentionKind::kLinear,
                                           .linear = {.kind = LinearKind::kGatedDelta,
                                                      .heads = 32,
                                                      .key_heads = 16,
                                                      .key_dim = 128,
                                                      .value_dim = 128,
                                                      .conv_width = 4}},
                             .mlp = {.width = 1}};
  const AttentionWork near = Of(linear).Decode(5, 5);
  const AttentionWork far = Of(linear).Decode(5, 500'000);
  EXPECT_EQ(near.flops, far.flops);
  EXPECT_EQ(near.bytes, far.bytes);
  // The state and the last 3 inputs of the convolution, read and written; a row in, a row out.
  const double state = 2.0 * (32 * 128 * 128 * 4 + 3 * (2 * 16 * 128 + 32 * 128) * 2);
  const double row = 2.0 * (16 * 128 + 32 * 128) * 2;
  EXPECT_EQ(near.bytes, 5 * (state + row));
  const PrefillChunk chunks[] = {{.new_tokens = 100, .history = 0},
                                 {.new_tokens = 50, .history = 9}};
  EXPECT_EQ(Of(linear).Prefill(chunks).flops, 30 * near.flops);
  EXPECT_EQ(Of(linear).Prefill(chunks).bytes, 2 * state + 150 * row);
}

TEST(AttentionOperatorsTest, LayersWithoutAttentionDoNothing) {
  LayerGroup none = Heads();
  none.attention = {.kind = AttentionKind::kNone};
  const AttentionWork work = Of(none).Decode(5, 5000);
  EXPECT_EQ(work.flops, 0);
  EXPECT_EQ(work.bytes, 0);
}

}  // namespace
}  // namespace tokensim
