#include "engine/model/transformer.h"

#include <gtest/gtest.h>

#include <limits>

namespace tokensim {
namespace {

TransformerConfig Llama2_7b() {
  return {.name = "Llama-2-7B",
          .num_layers = 32,
          .hidden_size = 4096,
          .num_attention_heads = 32,
          .num_kv_heads = 32,
          .head_dim = 128,
          .intermediate_size = 11008,
          .vocab_size = 32000};
}

TransformerConfig Llama2_70b() {
  return {.name = "Llama-2-70B",
          .num_layers = 80,
          .hidden_size = 8192,
          .num_attention_heads = 64,
          .num_kv_heads = 8,
          .head_dim = 128,
          .intermediate_size = 28672,
          .vocab_size = 32000};
}

// The exact counts of the published checkpoints.
TEST(TransformerTest, ParameterCountsAreExact) {
  EXPECT_EQ(ParameterCount(Llama2_7b()), 6'738'415'616);
  EXPECT_EQ(ParameterCount(Llama2_70b()), 68'976'648'192);
}

TEST(TransformerTest, ExpertsReplaceTheMlp) {
  TransformerConfig mixtral = Llama2_7b();
  mixtral.num_kv_heads = 8;
  mixtral.intermediate_size = 14336;
  mixtral.num_experts = 8;
  mixtral.experts_per_token = 2;
  EXPECT_EQ(ParameterCount(mixtral), 46'702'792'704);
}

TEST(TransformerTest, TiedEmbeddingsAreCountedOnce) {
  TransformerConfig tied = Llama2_7b();
  tied.tie_word_embeddings = true;
  EXPECT_EQ(ParameterCount(Llama2_7b()) - ParameterCount(tied), 32000 * 4096);
}

TEST(TransformerTest, PlainMlpHasTwoMatrices) {
  TransformerConfig plain = Llama2_7b();
  plain.gated_mlp = false;
  EXPECT_EQ(ParameterCount(Llama2_7b()) - ParameterCount(plain), int64_t{32} * 4096 * 11008);
}

TEST(TransformerTest, TensorParallelSplitsMatricesAndReplicatesNorms) {
  const TransformerConfig model = Llama2_70b();
  const int64_t norms = (2 * 80 + 1) * int64_t{8192};
  for (const int32_t devices : {2, 4, 8}) {
    const int64_t split = (ParameterCount(model) - norms) / devices + norms;
    EXPECT_EQ(WeightBytesPerDevice(model, {.tensor = devices}), 2 * split) << devices;
  }
}

TEST(TransformerTest, WeightBytesFollowTheDataType) {
  TransformerConfig model = Llama2_7b();
  model.weight_bytes_per_parameter = 0.5;
  EXPECT_EQ(WeightBytesPerDevice(model, {}), ParameterCount(model) / 2);
}

TEST(TransformerTest, KvBytesUseKvHeads) {
  EXPECT_EQ(KvBytesPerTokenPerDevice(Llama2_7b(), {}), 2 * 32 * 32 * 128 * 2);
  EXPECT_EQ(KvBytesPerTokenPerDevice(Llama2_70b(), {}), 2 * 80 * 8 * 128 * 2);
  EXPECT_EQ(KvBytesPerTokenPerDevice(Llama2_70b(), {.tensor = 4}), 2 * 80 * 2 * 128 * 2);
}

TEST(TransformerTest, KvHeadsAreReplicatedWhenFewerThanDevices) {
  EXPECT_EQ(KvBytesPerTokenPerDevice(Llama2_70b(), {.tensor = 16}), 2 * 80 * 1 * 128 * 2);
  EXPECT_EQ(KvBytesPerTokenPerDevice(Llama2_70b(), {.tensor = 64}), 2 * 80 * 1 * 128 * 2);
}

TEST(TransformerTest, UnevenSplitsRoundUp) {
  TransformerConfig model = Llama2_7b();
  model.vocab_size = 50257;
  EXPECT_EQ(VocabShard(model, {.tensor = 2}), 25129);
}

TEST(TransformerTest, StagesHoldTheirLayersAndOneEnd) {
  const TransformerConfig model = Llama2_70b();
  const int64_t end = int64_t{32000} * 8192;  // embedding or LM head
  const int64_t layers = ParameterCount(model) - 2 * end - 8192;
  for (const int32_t stages : {2, 4, 8}) {
    const ParallelismConfig split = {.pipeline = stages};
    EXPECT_EQ(WeightBytesPerDevice(model, split), 2 * (layers / stages + end + 8192)) << stages;
    EXPECT_EQ(KvBytesPerTokenPerDevice(model, split), 2 * 80 / stages * 8 * 128 * 2) << stages;
  }
  EXPECT_EQ(KvBytesPerTokenPerDevice(model, {.tensor = 4, .pipeline = 2}), 2 * 40 * 2 * 128 * 2);
}

TEST(TransformerTest, TiedEndsAreOnBothOuterStages) {
  TransformerConfig tied = Llama2_7b();
  tied.tie_word_embeddings = true;
  EXPECT_EQ(WeightBytesPerDevice(tied, {.pipeline = 2}),
            WeightBytesPerDevice(Llama2_7b(), {.pipeline = 2}));
}

TEST(TransformerTest, WholeExpertsWeighAsMuchAsSlices) {
  TransformerConfig mixtral = Llama2_7b();
  mixtral.num_kv_heads = 8;
  mixtral.intermediate_size = 14336;
  mixtral.num_experts = 8;
  mixtral.experts_per_token = 2;
  const LayerGroup layer = Model(mixtral).groups[0];
  EXPECT_EQ(ShardOf(layer, {.tensor = 4, .expert = 4}).experts, 2);
  EXPECT_EQ(ShardOf(layer, {.tensor = 4, .expert = 4}).width, 14336);
  EXPECT_EQ(ShardOf(layer, {.tensor = 4}).experts, 8);
  EXPECT_EQ(ShardOf(layer, {.tensor = 4}).width, 3584);
  EXPECT_EQ(WeightBytesPerDevice(mixtral, {.tensor = 4, .expert = 4}),
            WeightBytesPerDevice(mixtral, {.tensor = 4}));
}

TEST(TransformerTest, AbsurdSizesSaturate) {
  TransformerConfig model = Llama2_7b();
  model.num_layers = model.hidden_size = model.intermediate_size = 2'000'000'000;
  EXPECT_EQ(ParameterCount(model), std::numeric_limits<int64_t>::max());
}

}  // namespace
}  // namespace tokensim
