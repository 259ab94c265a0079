// What PrepareSpec says about models of several kinds of layers, and what becomes of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "engine/io/plan/test_specs.h"

namespace tokensim {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr char kEnds[] = "hidden_size: 1024, vocab_size: 1000, ";

std::vector<std::string> Findings(const std::string& fields) {
  return FindingsOf({{"model", "{" + (kEnds + fields) + "}"}});
}
PreparedSpec Prepare(const std::string& fields) {
  return PrepareChanged(
      {{"model", "{" + (kEnds + fields) + "}"}, {"workers[0].compute.roofline", "{}"}});
}

constexpr char kMla[] =
    "{kind: latent, num_attention_heads: 16, head_dim: 64, kv_rank: 256, rope_dim: 32}";

TEST(PrepareLayersTest, GroupsTakeWhatTheyLeaveOutFromTheModel) {
  const PreparedSpec prepared = Prepare(
      "num_attention_heads: 16, num_kv_heads: 4, intermediate_size: 4096, layers: ["
      "{count: 3, attention: {sliding_window: 128}}, {count: 1}]");
  ASSERT_TRUE(prepared.ok()) << Texts(prepared)[0];
  const v1::Model& model = prepared.resolved.model();
  EXPECT_EQ(model.num_layers(), 4);
  EXPECT_EQ(model.layers(0).attention().num_kv_heads(), 4);
  EXPECT_EQ(model.layers(0).attention().head_dim(), 64);
  EXPECT_EQ(model.layers(1).mlp().intermediate_size(), 4096);
  // Preparing it again changes nothing.
  const PreparedSpec again = PrepareSpec(prepared.resolved, TracePolicy::NoPaths());
  EXPECT_EQ(again.digest, prepared.digest);
  EXPECT_EQ(again.resolved.SerializeAsString(), prepared.resolved.SerializeAsString());
}

// One group that says what the short form says is the same model.
TEST(PrepareLayersTest, TheShortFormIsOneGroup) {
  const std::string figures = "num_attention_heads: 16, num_kv_heads: 4, intermediate_size: 4096, ";
  const PreparedSpec in_short = Prepare(figures + "num_layers: 8");
  const PreparedSpec layers = Prepare(figures + "layers: [{count: 8}]");
  ASSERT_TRUE(in_short.ok() && layers.ok());
  EXPECT_EQ(in_short.plan->workers[0].kv_blocks, layers.plan->workers[0].kv_blocks);
  const IterationShape shape = {.decode_count = 7, .decode_context = 999, .sampled_count = 7};
  EXPECT_EQ(in_short.plan->workers[0].compute->IterationSeconds(shape),
            layers.plan->workers[0].compute->IterationSeconds(shape));
}

TEST(PrepareLayersTest, LatentAttentionKeepsOneVector) {
  const PreparedSpec prepared = Prepare(
      "intermediate_size: 4096, layers: [{count: 10, attention: " + std::string(kMla) + "}]");
  ASSERT_TRUE(prepared.ok()) << Texts(prepared)[0];
  EXPECT_EQ(prepared.workers[0].kv_bytes_per_token(), 10 * (256 + 32) * 2);
}

// A page holds a state of one layer: 16 x ceil(2,134,016 / (16 x 4,096)) = 528 tokens of the layer
// that attends. One group of it and three of states, of one layer each.
TEST(PrepareLayersTest, StatesTakeBlocks) {
  const std::string model =
      "intermediate_size: 4096, num_attention_heads: 16, layers: [{count: 1}, {count: 3, "
      "attention: "
      "{kind: mamba2, state: {num_heads: 64, num_key_heads: 8, key_dim: 128, value_dim: 64}}}]";
  const PreparedSpec prepared = Prepare(model);
  ASSERT_TRUE(prepared.ok()) << Texts(prepared)[0];
  const int64_t state = 64 * 128 * 64 * 4 + (2 * 8 * 128 + 64 * 64) * 3 * 2;
  ASSERT_EQ(state, 2'134'016);
  const WorkerPlan& worker = prepared.plan->workers[0];
  ASSERT_NE(worker.layout, nullptr);
  EXPECT_EQ(worker.layout->block_bytes(), 528 * 4'096);
  EXPECT_EQ(worker.block_size, 528);
  EXPECT_EQ(worker.layout->Held(1'000), 2 + 3);
  EXPECT_EQ(worker.KvBytes(1'000), 1'000 * 4'096 + 3 * state);
  // What is free does not depend on the number of sequences any more.
  const v1::Spec fewer = Changed(
      GoodSpec(), {{"model", "{" + (kEnds + model) + "}"}, {"local_scheduler.max_num_seqs", "1"}});
  EXPECT_EQ(PrepareSpec(fewer, TracePolicy::NoPaths()).plan->workers[0].kv_blocks,
            worker.kv_blocks);
  const v1::WorkerEstimate& estimate = prepared.workers[0];
  EXPECT_EQ(estimate.kv_block_bytes(), 528 * 4'096);
  ASSERT_EQ(estimate.kv_groups_size(), 2);
  EXPECT_EQ(estimate.kv_groups(0).block_size(), 528);
  EXPECT_EQ(estimate.kv_groups(1).count(), 3);
  EXPECT_EQ(estimate.kv_groups(1).state_blocks(), 1);
}

TEST(PrepareLayersTest, WhatIsMissingIsSaid) {
  EXPECT_THAT(
      Findings("layers: [{count: 2}]"),
      UnorderedElementsAre(HasSubstr("ERROR model.layers[0].attention.num_attention_heads: is "
                                     "missing: give it here or to the model"),
                           HasSubstr("ERROR model.layers[0].mlp.intermediate_size: is missing")));
  EXPECT_THAT(
      Findings("intermediate_size: 8, layers: [{attention: {kind: latent}}]"),
      UnorderedElementsAre(HasSubstr("layers[0].attention.head_dim: is missing"),
                           HasSubstr("layers[0].attention.kv_rank: is missing"),
                           HasSubstr("layers[0].attention.num_attention_heads: is missing")));
  EXPECT_THAT(Findings("intermediate_size: 8, layers: [{attention: kda}]"),
              UnorderedElementsAre(HasSubstr("attention.state.key_dim: is missing"),
                                   HasSubstr("attention.state.num_heads: is missing"),
                                   HasSubstr("attention.state.value_dim: is missing")));
}

TEST(PrepareLayersTest, FieldsBelongToKinds) {
  const std::string heads = "num_attention_heads: 16, intermediate_size: 8, layers: [{attention: ";
  EXPECT_THAT(Findings(heads + "{kv_rank: 3}}]"),
              ElementsAre("ERROR model.layers[0].attention.kv_rank: is of attention of kind latent "
                          "only"));
  EXPECT_THAT(Findings(heads + "{kind: hedas}}]"),
              ElementsAre(HasSubstr("unknown kind of attention 'hedas'; did you mean heads?")));
  EXPECT_THAT(Findings(heads + "{sliding_window: 3, chunk: 4}}]"),
              ElementsAre(HasSubstr("chunk: and sliding_window do not go together")));
  EXPECT_THAT(Findings(heads + "none, mlp: none}]"),
              ElementsAre(HasSubstr("layers[0].mlp: and attention are none")));
  EXPECT_THAT(Findings(heads + "{num_kv_heads: 3}}]"),
              ElementsAre(HasSubstr("num_kv_heads: is 3; it must divide num_attention_heads, 16")));
  EXPECT_THAT(Findings(heads + "{index: {top_k: 5, shared: true, head_dim: 3}}}]"),
              ElementsAre(HasSubstr("index.head_dim: is of the other layer's index")));
}

TEST(PrepareLayersTest, LayersAreBounded) {
  const std::string heads = "num_attention_heads: 16, intermediate_size: 8, ";
  EXPECT_THAT(Findings(heads + "num_layers: 3, layers: [{count: 2}]"),
              ElementsAre("ERROR model.num_layers: is 3, but the groups of layers have 2"));
  EXPECT_THAT(Findings(heads + "layers: [{count: 600}, {count: 600}]"),
              ElementsAre("ERROR model.layers: are 1200 in all; at most 1000 are allowed"));
  EXPECT_THAT(Findings(heads + "layers: [{count: 0}]"),
              ElementsAre("ERROR model.layers[0].count: is 0; allowed are 1 .. 1,000"));
  std::string many;
  for (int i = 0; i < 101; ++i) many += "{}, ";
  EXPECT_THAT(Findings(heads + "layers: [" + many + "]"),
              ElementsAre("ERROR model.layers: has 101 groups; at most 100 are allowed"));
}

TEST(PrepareLayersTest, ParallelismMustFitEveryGroup) {
  const std::string model = "{" + std::string(kEnds) +
                            "num_attention_heads: 16, intermediate_size: 64, layers: ["
                            "{count: 1}, {count: 3, mlp: {moe: {num_experts: 6, experts_per_token: "
                            "2}}, attention: {kind: "
                            "gated_delta, state: {num_heads: 12, key_dim: 64, value_dim: 64}}}]}";
  EXPECT_THAT(FindingsOf({{"model", model}, {"workers[0].parallelism.tensor", "8"}}),
              ElementsAre("ERROR workers[0].parallelism.tensor: is 8; it must divide the model's "
                          "attention heads, 12"));
  EXPECT_THAT(FindingsOf({{"model", model}, {"workers[0].parallelism", "{tensor: 4, expert: 4}"}}),
              ElementsAre("ERROR workers[0].parallelism.expert: is 4; it must divide the model's "
                          "experts, 6"));
}

TEST(PrepareLayersTest, TilesKnowPlainAttentionOnly) {
  EXPECT_THAT(
      FindingsOf({{"model", "{" + std::string(kEnds) +
                                "intermediate_size: 64, layers: [{attention: " + kMla + "}]}"},
                  {"workers[0].compute.tiled", "{}"}}),
      Contains(HasSubstr("ERROR workers[0].compute: of tiles knows only models with")));
}

TEST(PrepareLayersTest, OneTypeOfWeightsMeansAll) {
  const std::string model =
      "{" + std::string(kEnds) +
      "num_layers: 4, num_attention_heads: 16, intermediate_size: 4096, weight_dtype: nvfp4, "
      "weight_dtypes: {embedding: bf16, head: bf16}}";
  const PreparedSpec mixed = PrepareChanged({{"model", model}});
  ASSERT_TRUE(mixed.ok());
  const double layers = 4 * (4.0 * 1024 * 1024 + 3.0 * 1024 * 4096 + 2 * 1024) + 1024;
  EXPECT_NEAR(static_cast<double>(mixed.workers[0].weight_bytes_per_device()),
              layers * 0.5625 + 2.0 * 1000 * 1024 * 2, 1);
  EXPECT_THAT(FindingsOf({{"model.weight_dtypes", "{head: 0}"}}),
              ElementsAre(HasSubstr("ERROR model.weight_dtypes.head: is not a data type")));
}

TEST(PrepareLayersTest, TypesOfPartsThatTheModelHas) {
  const PreparedSpec prepared = Prepare(
      "num_attention_heads: 16, intermediate_size: 4096, num_layers: 8, weight_dtype: fp8, "
      "weight_dtypes: {attention: bf16, experts: nvfp4}");
  ASSERT_TRUE(prepared.ok());
  EXPECT_THAT(Texts(prepared), ElementsAre("WARNING model.weight_dtypes.experts: is not used: the "
                                           "model has no such part"));
  const v1::WeightDtypes& parts = prepared.resolved.model().weight_dtypes();
  EXPECT_EQ(parts.attention(), v1::DATA_TYPE_BF16);
  EXPECT_EQ(parts.mlp(), v1::DATA_TYPE_FP8);
  EXPECT_FALSE(parts.has_experts() || parts.has_router() || parts.has_shared_experts());
}

TEST(PrepareLayersTest, WhatThereIsNoneOfIsAbsent) {
  const PreparedSpec prepared = Prepare(
      "num_attention_heads: 16, intermediate_size: 4096, mtp_layers: 0, weight_dtypes: {}, "
      "moe: {num_experts: 8, experts_per_token: 2, shared_intermediate_size: 0, latent_size: 0}, "
      "layers: [{attention: {kind: none, head_dim: 4}}]");
  ASSERT_TRUE(prepared.ok()) << Texts(prepared)[0];
  EXPECT_THAT(Texts(prepared), ElementsAre("WARNING model.layers[0].attention: is not used: kind "
                                           "is none"));
  const v1::Model& model = prepared.resolved.model();
  EXPECT_FALSE(model.has_mtp_layers() || model.has_weight_dtypes());
  for (const v1::MixtureOfExperts& moe : {model.moe(), model.layers(0).mlp().moe()}) {
    EXPECT_FALSE(moe.has_shared_intermediate_size() || moe.has_latent_size());
  }
}

TEST(PrepareLayersTest, AConfigIsAModel) {
  const std::filesystem::path dir = TOKENSIM_MODEL_CONFIGS_DIR;
  const v1::Spec spec = Changed(GoodSpec(), {{"model", "{config: deepseek_v3.json, name: mine}"},
                                             {"workers[0].parallelism.tensor", "2"}});
  const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::Below(dir.string()));
  ASSERT_TRUE(prepared.ok()) << Texts(prepared)[0];
  const v1::Model& model = prepared.resolved.model();
  EXPECT_EQ(model.name(), "mine");
  EXPECT_EQ(model.num_layers(), 4);
  EXPECT_TRUE(model.config().empty());
  EXPECT_EQ(prepared.workers[0].kv_bytes_per_token(), 2 * 4 * 40 * 2);

  const auto error = [&](const std::string& config) {
    const v1::Spec bad = Changed(GoodSpec(), {{"model", config}});
    return Texts(PrepareSpec(bad, TracePolicy::Below(dir.string())));
  };
  EXPECT_THAT(error("{config: unknown.json}"),
              Contains(HasSubstr("ERROR model.config: architecture whisper")));
  EXPECT_THAT(error("{config: ../none.json}"),
              Contains(HasSubstr("ERROR model.config: no config ../none.json")));
  EXPECT_THAT(error("{config: llama.json, preset: llama2-7b}"),
              Contains(HasSubstr("ERROR model.config: and preset do not go together")));
  EXPECT_THAT(Texts(PrepareSpec(spec, TracePolicy::NoPaths())),
              Contains(HasSubstr("ERROR model.config: files are not read here")));
}

TEST(PrepareLayersTest, LayersOfASpecReplaceThoseOfItsPreset) {
  const PreparedSpec prepared =
      PrepareChanged({{"model", "{preset: llama2-7b, num_layers: 2, layers: [{count: 2}]}"}});
  ASSERT_TRUE(prepared.ok()) << Texts(prepared)[0];
  EXPECT_EQ(prepared.resolved.model().layers_size(), 1);
  EXPECT_THAT(Texts(prepared), IsEmpty());
}

}  // namespace
}  // namespace tokensim
