#include "engine/compute/sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/compute/operators.h"
#include "engine/compute/roofline.h"
#include "engine/model/transformer.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Names(const SamplingConfig& sampling, int64_t rows) {
  std::vector<std::string> names;
  for (const SamplerWork& work : SamplerWorkOf(sampling, rows)) names.emplace_back(work.name);
  return names;
}

// Seconds of everything behind the LM head on an H100.
double Seconds(const SamplingConfig& sampling, int32_t vocabulary, int64_t rows) {
  DeviceConfig h100;
  h100.peak_flops = 989e12;
  h100.peak_8bit_flops = 1979e12;
  h100.memory_bandwidth_bytes_per_second = 3350e9;
  h100.memory_efficiency = 0.86;
  h100.kernel_launch_seconds = 3.8e-6;
  TransformerConfig model;
  model.num_layers = 1;
  model.hidden_size = 1024;
  model.num_attention_heads = model.num_kv_heads = 8;
  model.head_dim = 128;
  model.intermediate_size = 1024;
  model.vocab_size = vocabulary;
  const TransformerOperators operators(model, {}, sampling);
  const auto pricer = MakeRooflinePricer(model, h100, {});
  std::vector<Operator> output;
  operators.AppendOutput(rows, output);
  double seconds = 0;
  for (const Operator& op : output) {
    if (op.kind == OperatorKind::kMemory) seconds += pricer->Seconds(op);
  }
  return seconds;
}

TEST(Sampling, WhatIsAskedDecidesWhatRuns) {
  EXPECT_THAT(Names({}, 4), ElementsAre("sampler"));
  EXPECT_THAT(Names({.method = SamplingMethod::kGreedy}, 4), ElementsAre("sampler"));
  EXPECT_THAT(Names({.method = SamplingMethod::kFiltered, .penalties = true}, 4),
              ElementsAre("penalties", "logits_filter", "sampler"));
}

TEST(Sampling, TheSearchRunsFromEightRowsOn) {
  const auto bytes = [](SamplingFilter filter, int64_t rows) {
    return SamplerWorkOf({.method = SamplingMethod::kFiltered, .filter = filter}, rows)[0]
        .bytes_per_logit;
  };
  EXPECT_EQ(bytes(SamplingFilter::kTriton, 7), bytes(SamplingFilter::kSort, 7));
  EXPECT_LT(bytes(SamplingFilter::kTriton, 8), bytes(SamplingFilter::kSort, 8) / 4);
  EXPECT_LT(bytes(SamplingFilter::kFlashInfer, 1), bytes(SamplingFilter::kSort, 1) / 4);
}

// PyTorch's sort alone, as published: 3.8 ms, 0.63 ms, 0.1 ms.
TEST(Sampling, TheSortTakesWhatWasPublished) {
  const SamplingConfig sorted{.method = SamplingMethod::kFiltered, .filter = SamplingFilter::kSort};
  const auto sort = [&](int32_t vocabulary, int64_t rows) {
    const double passes = 46 + 57;  // of what comes behind it
    const double logits = static_cast<double>(rows) * vocabulary;
    return Seconds(sorted, vocabulary, rows) - logits * passes / (3350e9 * 0.86) - 13 * 3.8e-6;
  };
  EXPECT_NEAR(sort(131072, 256), 3.8e-3, 0.1 * 3.8e-3);
  EXPECT_NEAR(sort(32768, 128), 0.63e-3, 0.15 * 0.63e-3);
  EXPECT_NEAR(sort(131072, 1), 0.1e-3, 0.15 * 0.1e-3);
}

TEST(Sampling, CostsMoreTheMoreIsAsked) {
  const auto seconds = [](SamplingMethod method, bool penalties) {
    return Seconds({.method = method, .filter = SamplingFilter::kSort, .penalties = penalties},
                   128256, 64);
  };
  EXPECT_LT(seconds(SamplingMethod::kGreedy, false), seconds(SamplingMethod::kRandom, false));
  EXPECT_LT(seconds(SamplingMethod::kRandom, false), seconds(SamplingMethod::kFiltered, false));
  EXPECT_LT(seconds(SamplingMethod::kFiltered, false), seconds(SamplingMethod::kFiltered, true));
}

}  // namespace
}  // namespace tokensim
