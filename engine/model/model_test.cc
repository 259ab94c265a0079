#include "engine/model/model.h"

#include <gtest/gtest.h>

#include "engine/model/transformer.h"

namespace tokensim {
namespace {

// DeepSeek V3: 61 layers, 3 of them dense.
Attention DeepSeekAttention() {
  return {.kind = AttentionKind::kLatent,
          .heads = 128,
          .head_dim = 128,
          .value_dim = 128,
          .query_rank = 1536,
          .kv_rank = 512,
          .rope_dim = 64};
}
Model DeepSeekV3() {
  const Attention attention = DeepSeekAttention();
  return {
      .name = "DeepSeek-V3",
      .hidden_size = 7168,
      .vocab_size = 129280,
      .groups =
          {{.count = 3,
            .attention = attention,
            .mlp = {.width = 18432},
            .extra_parameters = 1536 + 512},
           {.count = 58,
            .attention = attention,
            .mlp = {.width = 2048, .experts = 256, .experts_per_token = 8, .shared_width = 2048},
            .extra_parameters = 1536 + 512 + 256}},
      .mtp_layers = 1};
}

// gpt-oss-120b: windows and full attention alternate.
Model GptOss() {
  const Attention full = {.heads = 64, .kv_heads = 8, .head_dim = 64, .value_dim = 64};
  Attention window = full;
  window.window = 128;
  const Mlp mlp = {.width = 2880, .experts = 128, .experts_per_token = 4};
  return {.name = "gpt-oss-120b",
          .hidden_size = 2880,
          .vocab_size = 201088,
          .groups = {{.count = 18, .attention = window, .mlp = mlp},
                     {.count = 18, .attention = full, .mlp = mlp}}};
}

// Shapes of Qwen3.5-27B: 48 layers of gated delta nets, 16 of full attention with a gate.
Model Qwen35() {
  const Attention linear = {.kind = AttentionKind::kLinear,
                            .linear = {.kind = LinearKind::kGatedDelta,
                                       .heads = 48,
                                       .key_heads = 16,
                                       .key_dim = 128,
                                       .value_dim = 128,
                                       .conv_width = 4}};
  const Attention full = {
      .heads = 24, .kv_heads = 4, .head_dim = 256, .value_dim = 256, .output_gate = true};
  return {.name = "Qwen3.5-27B",
          .hidden_size = 5120,
          .vocab_size = 248320,
          .groups = {{.count = 48, .attention = linear, .mlp = {.width = 17408}},
                     {.count = 16, .attention = full, .mlp = {.width = 17408}}}};
}

// The sums published with DeepSeek V3: 671 B, of which 37 B are active.
TEST(ModelTest, LatentAttentionAndSharedExpertsAreCounted) {
  EXPECT_NEAR(static_cast<double>(ParameterCount(DeepSeekV3())), 671.03e9, 0.01e9);
  EXPECT_NEAR(static_cast<double>(ActiveParameterCount(DeepSeekV3())), 37.55e9, 0.01e9);
  // The checkpoint has 685 B with the MTP layer, which holds its own copies of both ends.
  const int64_t ends = int64_t{2} * 7168 * 129280;
  EXPECT_NEAR(static_cast<double>(MtpParameterCount(DeepSeekV3()) + ends), 14e9, 0.6e9);
}

TEST(ModelTest, PartsMayBeAbsent) {
  Model blocks = GptOss();
  blocks.groups[0].mlp = {};
  blocks.groups[1].attention = {.kind = AttentionKind::kNone};
  const int64_t attention = 18 * (2880 * (64 + 8 + 8) * 64 + 64 * 64 * 2880 + 2880);
  const int64_t experts = 18 * (int64_t{128} * 3 * 2880 * 2880 + int64_t{2880} * 128 + 2880);
  const int64_t ends = int64_t{2} * 2880 * 201088 + 2880;
  EXPECT_EQ(ParameterCount(blocks), attention + experts + ends);
}

TEST(ModelTest, GatedDeltaNetsAreCounted) {
  EXPECT_NEAR(static_cast<double>(ParameterCount(Qwen35())), 26.9e9, 0.02e9);
  // A rate of decay and one of writing for each head; Mamba 2 has the first.
  Model mamba = Qwen35();
  mamba.groups[0].attention.linear.kind = LinearKind::kMamba2;
  EXPECT_EQ(ParameterCount(Qwen35()) - ParameterCount(mamba), int64_t{48} * 5120 * 48);
}

TEST(ModelTest, LatentExpertsHaveAWayThereAndBack) {
  Model model = GptOss();
  for (LayerGroup& group : model.groups) group.mlp.latent = 1024;
  const int64_t matrices = int64_t{128} * 3 * 2880 * (2880 - 1024);
  EXPECT_EQ(ParameterCount(GptOss()) - ParameterCount(model), 36 * (matrices - 2 * 2880 * 1024));
}

TEST(ModelTest, EveryPartHasItsFormat) {
  Model model = GptOss();
  model.formats = UniformFormats({.bytes = 0});
  model.formats.experts = {.bytes = 0.5 + 1.0 / 32};
  const int64_t experts = int64_t{36} * 128 * 3 * 2880 * 2880;
  EXPECT_EQ(WeightBytesPerDevice(model, {}), experts / 2 + experts / 32);
  EXPECT_EQ(WeightBytesPerDevice(model, {.tensor = 4}), (experts / 2 + experts / 32) / 4);
  EXPECT_EQ(WeightBytesPerDevice(model, {.pipeline = 4}), (experts / 2 + experts / 32) / 4);
}

TEST(ModelTest, LatentVectorsAreOnEveryDevice) {
  for (const int32_t devices : {1, 8}) {
    EXPECT_EQ(KvBytesPerTokenPerDevice(DeepSeekV3(), {.tensor = devices}), 61 * (512 + 64) * 2);
  }
  // Of the attention's matrices only what the heads have is split.
  Model mla = DeepSeekV3();
  mla.formats = UniformFormats({.bytes = 0});
  mla.formats.attention = {.bytes = 1};
  const int64_t replicated = int64_t{7168} * (1536 + 512 + 64);
  const int64_t heads = int64_t{1536} * 128 * 192 + int64_t{512} * 128 * 256 + 128 * 128 * 7168;
  EXPECT_EQ(WeightBytesPerDevice(mla, {.tensor = 8}), 61 * (replicated + heads / 8));
}

TEST(ModelTest, AnIndexHasKeysOfItsOwn) {
  Model model = DeepSeekV3();
  for (LayerGroup& group : model.groups) {
    group.attention.index = {.heads = 64, .head_dim = 128, .top_k = 2048, .key_bytes = 132};
  }
  EXPECT_EQ(KvBytesPerTokenPerDevice(model, {}), 61 * (576 * 2 + 132));
  // The checkpoint of V3.2 without MTP: 671.88 B.
  EXPECT_NEAR(static_cast<double>(ParameterCount(model)), 671.88e9, 0.01e9);
  model.groups[1].attention.index.shares_selection = true;
  EXPECT_EQ(KvBytesPerTokenPerDevice(model, {}), 61 * 576 * 2 + 3 * 132);
}

TEST(ModelTest, WindowsKeepWhatTheyNeed) {
  const KvLayout layout = KvLayoutOf(GptOss(), {});
  ASSERT_EQ(layout.groups.size(), 2u);
  const int64_t layer = 2 * 8 * 64 * 2;
  EXPECT_EQ(layout.bytes_per_token(), 36 * layer);
  EXPECT_EQ(layout.SequenceBytes(100), 36 * layer * 100);
  EXPECT_EQ(layout.SequenceBytes(1000), 18 * layer * 1000 + 18 * layer * 128);
  EXPECT_EQ(layout.state_bytes(), 0);
}

TEST(ModelTest, ChunksStartAnew) {
  Model model = GptOss();
  model.groups[0].attention.chunked = true;
  const KvLayout layout = KvLayoutOf(model, {});
  const int64_t layer = 18 * 2 * 8 * 64 * 2;
  EXPECT_EQ(layout.SequenceBytes(128), layer * (128 + 128));
  EXPECT_EQ(layout.SequenceBytes(129), layer * (129 + 1));
  EXPECT_EQ(layout.SequenceBytes(300), layer * (300 + 44));
  // A window of the same size is something else.
  model.groups[1].attention.window = 128;
  EXPECT_EQ(KvLayoutOf(model, {}).groups.size(), 2u);
}

TEST(ModelTest, GroupsOfOneWindowAreOne) {
  Model model = GptOss();
  model.groups[0].attention.window = 0;
  EXPECT_EQ(KvLayoutOf(model, {}).groups.size(), 1u);
}

TEST(ModelTest, StatesAreOfSequencesNotTokens) {
  const KvLayout layout = KvLayoutOf(Qwen35(), {});
  const int64_t state = 48 * 128 * 128 * 4 + (2 * 16 + 48) * 128 * 3 * 2;
  EXPECT_EQ(layout.state_bytes(), 48 * state);
  EXPECT_EQ(layout.bytes_per_token(), 16 * 2 * 4 * 256 * 2);
  EXPECT_EQ(layout.SequenceBytes(10), 48 * state + 10 * 16 * 2 * 4 * 256 * 2);
  EXPECT_EQ(KvLayoutOf(Qwen35(), {.tensor = 4}).state_bytes(), 48 * state / 4);
}

// DeepSeek V4: tokens of the window as they are, and one entry of every `compression`.
TEST(ModelTest, CompressedTokensAreKeptBesideTheWindow) {
  const Attention attention = {.kind = AttentionKind::kLatent,
                               .heads = 64,
                               .value_dim = 512,
                               .window = 128,
                               .query_rank = 1024,
                               .kv_rank = 448,
                               .rope_dim = 64,
                               .direct = true,
                               .compression = 4};
  const Model model = {.hidden_size = 4096,
                       .vocab_size = 1000,
                       .groups = {{.count = 2, .attention = attention, .mlp = {.width = 64}}}};
  const KvLayout layout = KvLayoutOf(model, {});
  const int64_t entry = 2 * 512 * 2;
  EXPECT_EQ(layout.SequenceBytes(128), entry * (128 + 32));
  EXPECT_EQ(layout.SequenceBytes(1000), entry * (128 + 250));
}

TEST(ModelTest, TheShortFormIsPlain) {
  const TransformerConfig config = {.num_layers = 2,
                                    .hidden_size = 64,
                                    .num_attention_heads = 4,
                                    .num_kv_heads = 2,
                                    .head_dim = 16,
                                    .intermediate_size = 128,
                                    .vocab_size = 100};
  EXPECT_TRUE(Model(config).plain_attention());
  EXPECT_TRUE(Model(config).one_format());
  EXPECT_FALSE(GptOss().plain_attention());
  EXPECT_FALSE(DeepSeekV3().plain_attention());
  // Layers with different MLPs may attend alike.
  Model mixed = config;
  mixed.groups.push_back(mixed.groups[0]);
  mixed.groups[1].mlp.width = 7;
  EXPECT_TRUE(mixed.plain_attention());
  mixed.formats.head = {.bytes = 4};
  EXPECT_FALSE(mixed.one_format());
}

}  // namespace
}  // namespace tokensim
