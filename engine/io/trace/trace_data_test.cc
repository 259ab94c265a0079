// The published traces, where they are present: TOKENSIM_DATA, default ../shared/data.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <set>

#include "engine/io/trace/trace_reader.h"

namespace tokensim {
namespace {

struct PublishedTrace {
  const char* file;
  const TraceFormat* format;
  int64_t rows;
  int64_t input_tokens;
  int64_t output_tokens;
  SimTime span;  // kUnset: no timestamps
};

class PublishedTraceTest : public testing::TestWithParam<PublishedTrace> {};

TEST_P(PublishedTraceTest, HasItsPublishedSize) {
  const char* data = std::getenv("TOKENSIM_DATA");
  const std::filesystem::path folder =
      std::filesystem::path(data != nullptr ? data : TOKENSIM_DEFAULT_DATA) / "traces";
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << "no " << folder << ": set TOKENSIM_DATA to the folder of measured data";
  }
  const PublishedTrace& expected = GetParam();
  const std::string path = (folder / expected.file).string();
  for (const TraceFormat* format : {expected.format, static_cast<const TraceFormat*>(nullptr)}) {
    const auto table = ReadTraceFile(path, format, {});
    ASSERT_TRUE(table.ok()) << table.status().ToString();
    EXPECT_EQ(table->size(), expected.rows);
    const auto sum = [](const std::vector<int32_t>& tokens) {
      return std::accumulate(tokens.begin(), tokens.end(), int64_t{0});
    };
    EXPECT_EQ(sum(table->input_tokens), expected.input_tokens);
    EXPECT_EQ(sum(table->output_tokens), expected.output_tokens);
    if (expected.span == kUnset) {
      EXPECT_TRUE(table->arrival.empty());
      continue;
    }
    ASSERT_EQ(static_cast<int64_t>(table->arrival.size()), expected.rows);
    EXPECT_EQ(table->arrival.front(), 0);
    EXPECT_EQ(table->arrival.back(), expected.span);
    EXPECT_TRUE(std::is_sorted(table->arrival.begin(), table->arrival.end()));
  }
}

// 182,790 different blocks of 512 tokens in 288,500: a third of the prompts' text is not new.
TEST(PublishedTrace, MooncakeHasHashIds) {
  const char* data = std::getenv("TOKENSIM_DATA");
  const std::filesystem::path path =
      std::filesystem::path(data != nullptr ? data : TOKENSIM_DEFAULT_DATA) /
      "traces/mooncake_conversation.jsonl";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path;
  const auto table = ReadTraceFile(path.string(), nullptr, {});
  ASSERT_TRUE(table.ok()) << table.status().ToString();
  EXPECT_EQ(table->hash_ids.size(), 288'500u);
  EXPECT_EQ(std::set<int64_t>(table->hash_ids.begin(), table->hash_ids.end()).size(), 182'790u);
  EXPECT_EQ(table->hash_block_tokens, 512);
  ASSERT_EQ(static_cast<int64_t>(table->hash_begin.size()), table->size() + 1);
  for (size_t i = 0; i < table->input_tokens.size(); ++i) {
    ASSERT_EQ(table->hash_begin[i + 1] - table->hash_begin[i],
              (table->input_tokens[i] + 511) / 512);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Traces, PublishedTraceTest,
    testing::Values(PublishedTrace{"AzureLLMInferenceTrace_conv.csv", FindTraceFormat("azure_csv"),
                                   19'366, 22'361'870, 4'088'665, 3'501'721'937'000},
                    PublishedTrace{"AzureLLMInferenceTrace_code.csv", FindTraceFormat("azure_csv"),
                                   8'819, 18'059'974, 245'896, 3'435'948'056'000},
                    PublishedTrace{"mooncake_conversation.jsonl", FindTraceFormat("mooncake_jsonl"),
                                   12'031, 144'793'823, 4'122'048, 3'536'999'000'000},
                    PublishedTrace{"sharegpt_lengths_10k_llama2.csv",
                                   FindTraceFormat("lengths_csv"), 10'000, 2'457'517, 3'256'299,
                                   kUnset}),
    [](const auto& test) {
      std::string name = test.param.file;
      name.resize(name.find('.'));
      return name;
    });

}  // namespace
}  // namespace tokensim
