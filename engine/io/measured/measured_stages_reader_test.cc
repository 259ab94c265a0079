#include "engine/io/measured/measured_stages_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/io/measured/truth_reader.h"

namespace tokensim::accuracy {
namespace {

using ::testing::HasSubstr;

// Two stages of 40 and 100 requests; 2 x 3 prompts of 70 to 90 tokens, 33 of them shared.
nlohmann::json Document() {
  const auto latency = [](double scale) {
    return nlohmann::json{
        {"mean", 2 * scale}, {"median", 1 * scale}, {"p90", 3 * scale}, {"max", 5 * scale}};
  };
  const auto stage = [&](int count) {
    return nlohmann::json{{"count", count},
                          {"failures", 0},
                          {"ttft_ms", latency(10)},
                          {"e2e_ms", latency(1000)},
                          {"derived_tpot_mean_ms", 8},
                          {"throughput", {{"requests_per_sec", 3.5}}},
                          {"prompt_len", {{"mean", 1}, {"min", 70}, {"median", 80}, {"max", 90}}}};
  };
  return {{"tp", 2},
          {"server", {{"max_num_seqs", 128}, {"total_kv_blocks", 7463}}},
          {"workload",
           {{"stages", {{{"rate", 4}, {"duration", 10}}, {{"rate", 5}, {"duration", 20}}}},
            {"resolved_by_loadgen",
             {{"num_groups", 2},
              {"num_prompts_per_group", 3},
              {"system_prompt_len", 33},
              {"output_len", 7}}}}},
          {"results", {{"stage_0", stage(40)}, {"stage_1", stage(100)}}}};
}

MeasuredStages Parse() {
  const auto run = ParseMeasuredStages(Document().dump(), "run.json");
  EXPECT_TRUE(run.ok()) << run.status();
  return *run;
}

// The error when the value at `pointer` is another, or missing when null.
std::string ErrorWith(const char* pointer, const nlohmann::json& value) {
  nlohmann::json document = Document();
  const nlohmann::json::json_pointer at(pointer);
  if (value.is_null()) {
    document[at.parent_pointer()].erase(at.back());
  } else {
    document[at] = value;
  }
  const auto run = ParseMeasuredStages(document.dump(), "run.json");
  EXPECT_FALSE(run.ok()) << pointer;
  return std::string(run.status().message());
}

TEST(MeasuredStages, ReadsFiguresInSeconds) {
  const MeasuredStages run = Parse();
  ASSERT_EQ(run.stages.size(), 2u);
  EXPECT_EQ(run.stages[1].requests(), 100);
  EXPECT_DOUBLE_EQ(*run.stages[0].ttft.mean, 0.02);
  EXPECT_DOUBLE_EQ(*run.stages[0].ttft.p50, 0.01);
  EXPECT_DOUBLE_EQ(*run.stages[0].e2e.p90, 3);
  EXPECT_DOUBLE_EQ(*run.stages[0].tpot_mean_seconds, 0.008);
  EXPECT_DOUBLE_EQ(*run.stages[0].requests_per_second, 3.5);
  EXPECT_EQ(run.output_tokens, 7);
  EXPECT_EQ(run.max_num_seqs, 128);
  EXPECT_EQ(run.total_kv_blocks, 7463);
  EXPECT_EQ(run.tensor_parallel, 2);
  EXPECT_EQ(run.max_model_len, std::nullopt);
}

TEST(MeasuredStages, ErrorsNameTheKey) {
  EXPECT_THAT(ErrorWith("/results/stage_1/count", nullptr),
              HasSubstr("run.json: results.stage_1.count: missing"));
  EXPECT_THAT(ErrorWith("/results/stage_0/e2e_ms/mean", "slow"),
              HasSubstr("results.stage_0.e2e_ms.mean: is not a number"));
  EXPECT_THAT(ErrorWith("/workload/stages/1/rate", -1), HasSubstr("workload.stages.1.rate: is -1"));
  EXPECT_THAT(ErrorWith("/workload/stages/1/rate", 0.01), HasSubstr("has 0.2 requests"));
  EXPECT_THAT(ErrorWith("/workload/stages", nlohmann::json::array()), HasSubstr("workload.stages"));
  EXPECT_THAT(ErrorWith("/workload/resolved_by_loadgen/output_len", 1.5),
              HasSubstr("output_len: is not an integer"));
  EXPECT_THAT(ErrorWith("/results/stage_0/prompt_len/median", 91), HasSubstr("do not ascend"));
  EXPECT_THAT(ErrorWith("/results/stage_0/prompt_len", 5), HasSubstr("prompt_len: missing"));
  EXPECT_THAT(std::string(ParseMeasuredStages("{", "x").status().message()),
              HasSubstr("x: is not a JSON object"));
}

TEST(MeasuredStages, AnyFigureWillDo) {
  nlohmann::json document = Document();
  for (const char* key : {"ttft_ms", "e2e_ms", "throughput", "failures"}) {
    document["results"]["stage_1"].erase(key);
  }
  const auto run = ParseMeasuredStages(document.dump(), "run.json");
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_FALSE(run->stages[1].ttft.mean || run->stages[1].e2e.p90);
  EXPECT_FALSE(run->stages[1].requests_per_second.has_value());
  EXPECT_TRUE(run->stages[0].requests_per_second.has_value());
  document["results"]["stage_1"].erase("derived_tpot_mean_ms");
  EXPECT_THAT(std::string(ParseMeasuredStages(document.dump(), "x").status().message()),
              HasSubstr("results.stage_1: has no figure of ttft_ms"));
}

TEST(EffectiveWorkload, StagesFillTheirDurations) {
  const StagedWorkload sent = EffectiveWorkload(Parse(), 1);
  ASSERT_EQ(sent.requests.size(), 140u);
  EXPECT_EQ(sent.requests[0].arrival, 0);
  EXPECT_TRUE(std::is_sorted(
      sent.requests.begin(), sent.requests.end(),
      [](const StagedRequest& a, const StagedRequest& b) { return a.arrival < b.arrival; }));
  EXPECT_EQ(sent.requests[39].stage, 0);
  EXPECT_EQ(sent.requests[40].stage, 1);
  // The last requests of the stages end 10 s, and 20 s later by a pause of 5 s.
  EXPECT_NEAR(ToSeconds(sent.requests[139].arrival - sent.requests[39].arrival), 25, 1e-6);
  EXPECT_LE(ToSeconds(sent.requests[39].arrival), 10);
  EXPECT_NE(EffectiveWorkload(Parse(), 2).requests[1].arrival, sent.requests[1].arrival);
  EXPECT_EQ(EffectiveWorkload(Parse(), 1).requests[9].arrival, sent.requests[9].arrival);
}

TEST(EffectiveWorkload, PromptsCycleInOneOrder) {
  const StagedWorkload sent = EffectiveWorkload(Parse(), 1);
  ASSERT_EQ(sent.prompts.size(), 6u);
  for (size_t i = 0; i < sent.requests.size(); ++i) {
    EXPECT_EQ(sent.requests[i].prompt, static_cast<int32_t>(i % 6));
  }
}

TEST(EffectiveWorkload, GroupsShareTheFullBlocksOfTheirSystemPrompt) {
  const StagedWorkload sent = EffectiveWorkload(Parse(), 1);
  std::map<int64_t, int> uses;
  std::multiset<int32_t> lengths;
  for (const StagedPrompt& prompt : sent.prompts) {
    lengths.insert(prompt.tokens);
    ASSERT_EQ(prompt.block_ids.size(), static_cast<size_t>(prompt.tokens / 16));
    for (size_t b = 0; b < prompt.block_ids.size(); ++b) {
      ++uses[prompt.block_ids[b]];
      EXPECT_EQ(prompt.block_ids[b] < 4, b < 2);  // two groups with 33 / 16 shared blocks
    }
  }
  for (const auto& [id, count] : uses) EXPECT_EQ(count, id < 4 ? 3 : 1) << id;
  // Quantiles at (i + 1/2) / 6 of a uniform distribution from 70 to 90.
  EXPECT_EQ(lengths, (std::multiset<int32_t>{72, 75, 78, 82, 85, 88}));
}

TEST(ToWorkload, RowsHoldTheRequests) {
  const MeasuredStages run = Parse();
  const StagedWorkload sent = EffectiveWorkload(run, 3);
  const v1::Workload workload = ToWorkload(run, 3);
  const v1::TraceRows& rows = workload.trace().rows();
  ASSERT_EQ(rows.input_tokens_size(), 140);
  EXPECT_EQ(rows.hash_block_tokens(), 16);
  int64_t arrival = 0;
  int hash = 0;
  for (int i = 0; i < 140; ++i) {
    const StagedRequest& request = sent.requests[static_cast<size_t>(i)];
    const StagedPrompt& prompt = sent.prompts[static_cast<size_t>(request.prompt)];
    arrival += rows.arrival_delta_ns(i);
    EXPECT_EQ(arrival, request.arrival);
    EXPECT_EQ(rows.input_tokens(i), prompt.tokens);
    EXPECT_EQ(rows.output_tokens(i), 7);
    ASSERT_EQ(rows.hash_counts(i), static_cast<int>(prompt.block_ids.size()));
    for (const int64_t id : prompt.block_ids) EXPECT_EQ(rows.hash_ids(hash++), id);
  }
  EXPECT_EQ(hash, rows.hash_ids_size());
}

}  // namespace
}  // namespace tokensim::accuracy
