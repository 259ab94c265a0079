// From the layers of models to groups of KV blocks.
#include "engine/io/plan/features/block_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/io/plan/test_specs.h"

namespace tokensim {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

PreparedSpec PrepareModel(const std::string& model, const std::string& hardware = "b200",
                          int tensor = 1, const std::string& memory = "{}") {
  return PrepareChanged({{"model", model},
                         {"workers[0].hardware", hardware},
                         {"workers[0].parallelism.tensor", std::to_string(tensor)},
                         {"local_scheduler.max_model_len", "32768"},
                         {"memory", memory}});
}

BlockLayoutConfig LayoutOfPreset(const std::string& model, int tensor = 1) {
  const PreparedSpec prepared = PrepareModel(model, "b200", tensor, "{kv_blocks: 1000}");
  if (!prepared.ok()) {
    ADD_FAILURE() << Texts(prepared)[0];
    return {};
  }
  if (prepared.plan->workers[0].layout == nullptr) return {};
  return prepared.plan->workers[0].layout->config();
}

// The figures that were worked out of vLLM's rules.
TEST(BlockGroups, PresetsHaveTheBlocksOfVllm) {
  const BlockLayoutConfig gpt = LayoutOfPreset("gpt-oss-120b");
  EXPECT_EQ(gpt.block_bytes, 589'824);
  ASSERT_EQ(gpt.groups.size(), 2u);
  EXPECT_EQ(gpt.groups[0].window + gpt.groups[1].window, 128);
  EXPECT_EQ(gpt.groups[0].count + gpt.groups[1].count, 2);
  EXPECT_EQ(gpt.largest_chunk, 2'048);

  const BlockLayoutConfig gemma = LayoutOfPreset("gemma4-31b");
  EXPECT_EQ(gemma.block_bytes, 2'621'440);
  EXPECT_EQ(CommonBlockSize(gemma), 32);

  const BlockLayoutConfig qwen = LayoutOfPreset("qwen3.5-397b-a17b");
  EXPECT_EQ(qwen.block_bytes, 64'389'120);
  EXPECT_EQ(CommonBlockSize(qwen), 2'096);
  const BlockLayoutConfig split = LayoutOfPreset("qwen3.5-397b-a17b", 8);
  EXPECT_EQ(CommonBlockSize(split), 528);
  EXPECT_EQ(split.block_bytes, 8 * 15 * 528 * int64_t{1'024});

  // Latent attention wants multiples of 128.
  EXPECT_EQ(CommonBlockSize(LayoutOfPreset("kimi-k3")) % 128, 0);
  // Every layer keeps every token.
  EXPECT_THAT(LayoutOfPreset("deepseek-v3").groups, IsEmpty());
  EXPECT_THAT(LayoutOfPreset("llama2-7b").groups, IsEmpty());
}

// DeepSeek V4-Flash: 21 layers with an entry for 4 tokens, 20 with one for 128, 43 windows.
TEST(BlockGroups, CompressedEntriesShareOneGroup) {
  const BlockLayoutConfig layout = LayoutOfPreset("deepseek-v4-flash");
  ASSERT_EQ(layout.groups.size(), 2u);
  const BlockGroup& entries = layout.groups[0];
  EXPECT_EQ(entries.block_size, 256);
  EXPECT_EQ(entries.window, 0);
  const BlockGroup& windows = layout.groups[1];
  EXPECT_EQ(windows.block_size, 64);
  EXPECT_EQ(windows.window, 128);
  EXPECT_EQ(windows.token_bytes, 43 * 1'024);
  EXPECT_GE(layout.block_bytes, entries.token_bytes / 2 * 256);
  EXPECT_GE(layout.block_bytes * windows.count, windows.token_bytes * 64);
}

TEST(BlockGroups, TheSizeOfTheCacheIsThatOfTheLongestRequests) {
  const PreparedSpec prepared = PrepareModel("gpt-oss-20b", "h100");
  ASSERT_TRUE(prepared.ok()) << Texts(prepared)[0];
  const WorkerPlan& worker = prepared.plan->workers[0];
  // Of 32,768 tokens: 2,048 blocks, and of the window ceil((127 + 2,048) / 16) + 1.
  const int64_t longest = 2'048 + 137;
  EXPECT_EQ(worker.layout->ToReach(0, 32'768), longest);
  EXPECT_EQ(prepared.workers[0].kv_tokens(), worker.kv_blocks * 32'768 / longest);
  const double free = 80e9 * 0.9 - 2.0 * (1 << 30) -
                      static_cast<double>(prepared.workers[0].weight_bytes_per_device());
  EXPECT_NEAR(static_cast<double>(worker.kv_blocks), free / (12 * 16 * 2'048),
              6e9 / (12 * 16 * 2'048));
  EXPECT_EQ(prepared.workers[0].kv_groups_size(), 2);
}

TEST(BlockGroups, StagesSplitBlocks) {
  const auto blocks = [](const std::string& split) {
    return PrepareChanged({{"model", "gpt-oss-20b"},
                           {"workers[0].hardware", "h100"},
                           {"workers[0].parallelism", split},
                           {"memory.host_memory_bytes", "1GiB"},
                           {"local_scheduler", "{policy: orca, preemption_mode: swap}"}});
  };
  const PreparedSpec stages = blocks("{pipeline: 2}");
  ASSERT_TRUE(stages.ok()) << Texts(stages)[0];
  const WorkerPlan& worker = stages.plan->workers[0];
  EXPECT_EQ(worker.layout->block_bytes(), 12 * 16 * 2'048);  // of both stages
  EXPECT_EQ(worker.host_blocks, (int64_t{1} << 30) / (12 * 16 * 2'048));
  EXPECT_EQ(worker.layout->config().largest_chunk, 0);  // prompts are computed whole
  // One head each of what both had: as many bytes as before.
  const PreparedSpec heads = blocks("{tensor: 2}");
  EXPECT_EQ(heads.plan->workers[0].layout->block_bytes(), 12 * 16 * 2'048);
}

constexpr char kSmall[] =
    "{hidden_size: 1024, vocab_size: 1000, num_attention_heads: 16, intermediate_size: 4096, "
    "layers: [";
std::vector<std::string> FindingsOfLayers(const std::string& layers,
                                          const std::string& memory = "{}") {
  return Texts(PrepareModel(kSmall + layers + "]}", "h100", 1, memory));
}

TEST(BlockGroups, WhatCannotBeBlocksIsSaid) {
  EXPECT_THAT(
      FindingsOfLayers("{count: 2, attention: {chunk: 100}}, {count: 2}"),
      ElementsAre("ERROR model: attends in chunks of 100 tokens; they must be a multiple of "
                  "its KV blocks of 16 tokens"));
  EXPECT_THAT(FindingsOfLayers("{count: 2, attention: {chunk: 64}}"),
              ElementsAre(HasSubstr("ERROR model: keeps nothing at the end of a chunk")));
  EXPECT_THAT(
      FindingsOfLayers("{count: 2, attention: {kind: kda, state: {num_heads: 1024, key_dim: "
                       "1024, value_dim: 1024}}}, {count: 1, attention: {num_kv_heads: 1, "
                       "head_dim: 1}}"),
      Contains(HasSubstr("tokens in common; at most 65,536 are allowed")));
  EXPECT_THAT(FindingsOfLayers("{count: 100, attention: {kind: kda, state: {num_heads: 10000, "
                               "key_dim: 10000, value_dim: 10000}}}"),
              Contains(HasSubstr("ERROR model: keeps states of")));
}

TEST(BlockGroups, OneOfEachGroupMustFit) {
  // 3 groups of states and one of tokens.
  const std::string layers =
      "{count: 1}, {count: 3, attention: {kind: mamba2, state: {num_heads: 64, num_key_heads: 8, "
      "key_dim: 128, value_dim: 64}}}";
  const auto with = [&](const std::string& reserved) {
    return FindingsOfLayers(layers, "{reserved_bytes: " + reserved + "}");
  };
  EXPECT_THAT(with("1GiB"), Each(HasSubstr("has no measurement of")));
  EXPECT_THAT(with("1TiB"),
              ElementsAre(HasSubstr("for weights, reserve and 4 KV blocks, one of each group of "
                                    "layers; available are")));
}

}  // namespace
}  // namespace tokensim
