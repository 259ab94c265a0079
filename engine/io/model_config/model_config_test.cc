#include "engine/io/model_config/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

namespace tokensim {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

std::string Text(const std::string& name) {
  std::ifstream file(fs::path(TOKENSIM_MODEL_CONFIGS_DIR) / (name + ".json"), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

v1::Model Read(const std::string& name, const ModelConfigOptions& options = {}) {
  const absl::StatusOr<v1::Model> model = ReadModelConfig(Text(name), options);
  EXPECT_TRUE(model.ok()) << name << ": " << model.status();
  return model.ok() ? *model : v1::Model();
}

std::string Error(std::string_view text) {
  return std::string(ReadModelConfig(text).status().message());
}

// The tests and the fuzzer have a config of every family.
TEST(ModelConfigTest, EveryFamilyIsRead) {
  int read = 0;
  for (const auto& entry : fs::directory_iterator(TOKENSIM_MODEL_CONFIGS_DIR)) {
    const std::string name = entry.path().stem();
    if (entry.path().extension() != ".json" || name == "unknown" || name == "missing") continue;
    const v1::Model model = Read(name);
    EXPECT_EQ(model.hidden_size(), 64) << name;
    EXPECT_EQ(model.vocab_size(), 1000) << name;
    EXPECT_EQ(model.max_position_embeddings(), 4096) << name;
    int32_t layers = model.num_layers();
    for (const v1::LayerGroup& group : model.layers()) layers += group.count();
    EXPECT_EQ(layers, name == "nemotron_nas" ? 3 : 4) << name;
    ++read;
  }
  EXPECT_GE(read, 25);
}

TEST(ModelConfigTest, LayersThatAreAlikeAreTheShortForm) {
  const v1::Model llama = Read("llama");
  EXPECT_EQ(llama.layers_size(), 0);
  EXPECT_EQ(llama.num_layers(), 4);
  EXPECT_EQ(llama.num_kv_heads(), 2);
  EXPECT_EQ(llama.head_dim(), 16);
  EXPECT_EQ(llama.weight_dtype(), v1::DATA_TYPE_BF16);
  EXPECT_FALSE(llama.has_weight_dtypes());
  EXPECT_EQ(Read("mixtral").moe().num_experts(), 8);
  EXPECT_EQ(Read("vision_mistral").intermediate_size(), 128);
  const v1::Model opt = Read("opt");
  EXPECT_FALSE(opt.gated_mlp());
  EXPECT_TRUE(opt.tie_word_embeddings());
}

TEST(ModelConfigTest, WindowsAreThoseOfTheirLayers) {
  EXPECT_EQ(Read("mistral_window").layers(0).attention().sliding_window(), 256);
  const v1::Model qwen = Read("qwen2_window");
  ASSERT_EQ(qwen.layers_size(), 2);
  EXPECT_EQ(qwen.layers(0).count(), 3);
  EXPECT_FALSE(qwen.layers(0).attention().has_sliding_window());
  EXPECT_EQ(qwen.layers(1).attention().sliding_window(), 256);
  const v1::Model oss = Read("gpt_oss");
  ASSERT_EQ(oss.layers_size(), 2);
  EXPECT_EQ(oss.layers(0).count(), 2);
  EXPECT_EQ(oss.layers(0).attention().sliding_window(), 128);
  // queries, keys and values; output; sinks; router.
  EXPECT_EQ(oss.layers(0).extra_parameters(), (8 + 2 + 2) * 16 + 64 + 8 + 16);
  const v1::Model llama4 = Read("llama4");  // groups: chunk with and without experts, full
  ASSERT_EQ(llama4.layers_size(), 3);
  EXPECT_EQ(llama4.layers(0).attention().chunk(), 512);
  EXPECT_EQ(llama4.layers(0).mlp().intermediate_size(), 128);
  EXPECT_FALSE(llama4.layers(2).attention().has_chunk());
  EXPECT_EQ(Read("gemma3").layers_size(), 2);
  EXPECT_TRUE(Read("gemma3").tie_word_embeddings());
}

TEST(ModelConfigTest, HeadsOfLayersMayDiffer) {
  const v1::Model gemma = Read("gemma4_experts");
  ASSERT_EQ(gemma.layers_size(), 2);
  const v1::Attention& full = gemma.layers(1).attention();
  EXPECT_EQ(full.head_dim(), 32);
  EXPECT_EQ(full.num_kv_heads(), 1);
  EXPECT_TRUE(full.values_are_keys());
  EXPECT_EQ(gemma.layers(0).mlp().moe().shared_intermediate_size(), 128);
  const v1::Model mimo = Read("mimo_v2_flash");
  EXPECT_EQ(mimo.layers(0).attention().value_head_dim(), 8);
  EXPECT_EQ(mimo.layers(1).attention().num_kv_heads(), 4);
  const v1::Model nas = Read("nemotron_nas");
  EXPECT_EQ(nas.layers(0).attention().num_kv_heads(), 2);
  EXPECT_EQ(nas.layers(0).mlp().intermediate_size(), 256);  // 2 x 2.625 x 64 / 3 = 112, rounded
  EXPECT_EQ(nas.layers(1).attention().kind(), "none");
  EXPECT_EQ(nas.layers(2).mlp().kind(), "none");
}

TEST(ModelConfigTest, LatentAttentionHasItsRanks) {
  const v1::Model v3 = Read("deepseek_v3");
  ASSERT_EQ(v3.layers_size(), 2);
  EXPECT_EQ(v3.layers(0).count(), 1);
  EXPECT_FALSE(v3.layers(0).mlp().has_moe());
  const v1::Attention& a = v3.layers(1).attention();
  EXPECT_EQ(a.kind(), "latent");
  EXPECT_EQ(a.query_rank(), 48);
  EXPECT_EQ(a.kv_rank(), 32);
  EXPECT_EQ(a.rope_dim(), 8);
  EXPECT_EQ(v3.layers(1).mlp().moe().shared_intermediate_size(), 64);
  EXPECT_EQ(v3.mtp_layers(), 1);
  EXPECT_FALSE(Read("deepseek_v2_lite").layers(1).attention().has_query_rank());
  EXPECT_EQ(Read("deepseek_v32").layers(1).attention().index().top_k(), 128);
}

TEST(ModelConfigTest, LayersMayShareAnIndex) {
  const v1::Model glm = Read("glm_dsa_shared_index");
  ASSERT_EQ(glm.layers_size(), 3);
  EXPECT_FALSE(glm.layers(0).attention().index().shared());
  EXPECT_TRUE(glm.layers(1).attention().index().shared());
  EXPECT_EQ(glm.layers(1).count(), 2);
}

TEST(ModelConfigTest, CompressionIsThatOfTheLayer) {
  const v1::Model v4 = Read("deepseek_v4");
  ASSERT_EQ(v4.layers_size(), 3);  // 128, 4, 0; the fifth is of MTP
  EXPECT_EQ(v4.layers(0).attention().compression(), 128);
  EXPECT_FALSE(v4.layers(0).attention().has_index());
  EXPECT_EQ(v4.layers(1).attention().compression(), 4);
  EXPECT_EQ(v4.layers(1).count(), 2);
  EXPECT_TRUE(v4.layers(1).attention().has_index());
  EXPECT_FALSE(v4.layers(2).attention().has_compression());
  EXPECT_EQ(v4.weight_dtype(), v1::DATA_TYPE_MXFP4);
  EXPECT_EQ(v4.weight_dtypes().attention(), v1::DATA_TYPE_FP8_BLOCK);
}

TEST(ModelConfigTest, LinearLayersHaveTheirStates) {
  const v1::Model qwen = Read("qwen3_5_moe");
  ASSERT_EQ(qwen.layers_size(), 2);
  EXPECT_EQ(qwen.layers(0).count(), 3);
  EXPECT_EQ(qwen.layers(0).attention().kind(), "gated_delta");
  EXPECT_EQ(qwen.layers(0).attention().state().num_heads(), 8);
  EXPECT_TRUE(qwen.layers(1).attention().output_gate());
  const v1::Model kimi = Read("kimi_linear");
  EXPECT_EQ(kimi.layers(0).attention().kind(), "kda");
  EXPECT_EQ(kimi.layers(2).attention().kind(), "latent");
  EXPECT_EQ(kimi.layers(1).mlp().moe().latent_size(), 48);
  const v1::Model nemotron = Read("nemotron_h");
  ASSERT_EQ(nemotron.layers_size(), 4);
  EXPECT_EQ(nemotron.layers(0).attention().kind(), "mamba2");
  EXPECT_EQ(nemotron.layers(0).mlp().kind(), "none");
  EXPECT_FALSE(nemotron.layers(1).mlp().gated());
  EXPECT_EQ(nemotron.layers(1).attention().kind(), "none");
}

TEST(ModelConfigTest, PartsAreStoredAsTheConfigSays) {
  const v1::Model blocks = Read("qwen3_fp8");
  EXPECT_EQ(blocks.weight_dtype(), v1::DATA_TYPE_FP8_BLOCK);
  EXPECT_EQ(blocks.weight_dtypes().embedding(), v1::DATA_TYPE_BF16);
  EXPECT_EQ(blocks.weight_dtypes().head(), v1::DATA_TYPE_BF16);
  EXPECT_FALSE(blocks.weight_dtypes().has_attention());
  const v1::Model oss = Read("gpt_oss");
  EXPECT_EQ(oss.weight_dtype(), v1::DATA_TYPE_MXFP4);
  EXPECT_EQ(oss.weight_dtypes().attention(), v1::DATA_TYPE_BF16);
  EXPECT_EQ(oss.weight_dtypes().router(), v1::DATA_TYPE_BF16);
  const v1::Model kimi = Read("kimi_k25_int4");
  EXPECT_EQ(kimi.weight_dtype(), v1::DATA_TYPE_INT4_G32);
  EXPECT_EQ(kimi.weight_dtypes().attention(), v1::DATA_TYPE_BF16);
  EXPECT_EQ(kimi.weight_dtypes().shared_experts(), v1::DATA_TYPE_BF16);
  EXPECT_EQ(kimi.weight_dtypes().mlp(), v1::DATA_TYPE_BF16);
  const v1::Model qwen = Read("qwen3_moe_nvfp4");
  EXPECT_EQ(qwen.weight_dtype(), v1::DATA_TYPE_NVFP4);
  EXPECT_FALSE(qwen.weight_dtypes().has_attention());
}

TEST(ModelConfigTest, TheFileBesideTheConfigComesFirst) {
  const v1::Model mixed = Read("qwen3_5_moe", {.quantization = R"({"quantization": {
      "quant_algo": "MIXED_PRECISION", "quantized_layers": {
        "model.language_model.layers.3.self_attn.q_proj": {"quant_algo": "FP8"},
        "model.language_model.layers.0.linear_attn.out_proj": {"quant_algo": "FP8"},
        "model.language_model.layers.1.linear_attn.out_proj": {"quant_algo": "FP8"},
        "model.language_model.layers.0.mlp.experts": {"quant_algo": "W4A16_NVFP4"},
        "model.language_model.layers.1.mlp.experts": {"quant_algo": "W4A16_NVFP4"},
        "lm_head": {"quant_algo": "W4A16_NVFP4"}}}})"});
  EXPECT_EQ(mixed.weight_dtype(), v1::DATA_TYPE_NVFP4);
  EXPECT_EQ(mixed.weight_dtypes().attention(), v1::DATA_TYPE_FP8);
  EXPECT_EQ(mixed.weight_dtypes().shared_experts(), v1::DATA_TYPE_BF16);
  EXPECT_FALSE(mixed.weight_dtypes().has_head());  // as most
}

TEST(ModelConfigTest, ATypeMayBeForced) {
  const v1::Model fp8 = Read("gpt_oss", {.weight_dtype = v1::DATA_TYPE_FP8});
  EXPECT_EQ(fp8.weight_dtype(), v1::DATA_TYPE_FP8);
  EXPECT_FALSE(fp8.weight_dtypes().has_attention());
  EXPECT_EQ(fp8.weight_dtypes().embedding(), v1::DATA_TYPE_BF16);
  const v1::Model plain = Read("gpt_oss", {.weight_dtype = v1::DATA_TYPE_BF16});
  EXPECT_EQ(plain.weight_dtype(), v1::DATA_TYPE_BF16);
  EXPECT_FALSE(plain.has_weight_dtypes());
}

TEST(ModelConfigTest, WhatIsNotUnderstoodIsSaid) {
  EXPECT_THAT(Error(Text("unknown")),
              AllOf(HasSubstr("whisper"), HasSubstr("WhisperForConditionalGeneration"),
                    HasSubstr("not understood"), HasSubstr("deepseek_v3")));
  // All that is missing, not the first.
  EXPECT_THAT(Error(Text("missing")),
              AllOf(HasSubstr("vocab_size is missing"), HasSubstr("kv_lora_rank is missing"),
                    HasSubstr("n_routed_experts"), HasSubstr("num_attention_heads is missing")));
  EXPECT_THAT(Error(""), HasSubstr("is not a JSON object"));
  EXPECT_THAT(Error("[1]"), HasSubstr("is not a JSON object"));
  EXPECT_THAT(Error("{}"), HasSubstr("model_type is missing"));
  EXPECT_THAT(Error(R"({"model_type": "llama", "hidden_size": -1, "num_hidden_layers": 2.5,
                        "vocab_size": "many", "num_attention_heads": 1e12})"),
              AllOf(HasSubstr("hidden_size is not a whole number"),
                    HasSubstr("num_hidden_layers is not a whole number"),
                    HasSubstr("vocab_size is not a whole number"),
                    HasSubstr("num_attention_heads is not a whole number")));
  EXPECT_THAT(Error(R"({"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 1000000,
                        "vocab_size": 10, "num_attention_heads": 2, "intermediate_size": 3})"),
              HasSubstr("num_hidden_layers is 1000000; allowed are 1 .. 1,000"));
}

TEST(ModelConfigTest, QuantizationThatIsNotUnderstoodIsSaid) {
  const absl::StatusOr<v1::Model> model = ReadModelConfig(
      Text("llama"), {.quantization = R"({"quantization": {"quant_algo": "FP3"}})"});
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("fp3"));
  EXPECT_TRUE(
      ReadModelConfig(Text("llama"), {.quantization = R"({"quantization": {"quant_algo": "FP3"}})",
                                      .weight_dtype = v1::DATA_TYPE_FP8})
          .ok());
}

TEST(ModelConfigTest, DeepNestingIsRefused) {
  std::string deep = R"({"model_type": "llama", "a": )";
  for (int i = 0; i < 100'000; ++i) deep += '[';
  EXPECT_FALSE(ReadModelConfig(deep).ok());
  for (int i = 0; i < 100'000; ++i) deep += ']';
  EXPECT_THAT(Error(deep + "}"), HasSubstr("nested too deeply"));
}

TEST(ModelConfigTest, NumbersThatJsonHasNotCountAsAbsent) {
  EXPECT_THAT(Error(R"({"model_type": "llama", "hidden_size": NaN, "vocab_size": -Infinity})"),
              AllOf(HasSubstr("hidden_size is missing"), HasSubstr("vocab_size is missing")));
}

}  // namespace
}  // namespace tokensim
