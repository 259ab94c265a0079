#include "engine/compute/roofline.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/invariant.h"
#include "engine/compute/operators.h"
#include "engine/compute/preset_files.h"

namespace tokensim {
namespace {

constexpr int32_t kTokens = 4096;

IterationShape Decodes(int32_t count, int64_t context) {
  return {.decode_count = count, .decode_context = context, .sampled_count = count};
}

double Seconds(const TransformerConfig& model, const DeviceConfig& device, int32_t devices,
               const IterationShape& shape) {
  return MakeRooflineModel(model, device, devices, kTokens)->IterationSeconds(shape);
}

TEST(RooflineTest, TableAndFormulaAreBitEqual) {
  const DeviceConfig device = ReadHardwarePreset("h100");
  const PrefillChunk chunk{.new_tokens = 333, .history = 77};
  for (const char* name : {"llama3.1-8b", "qwen3-30b-a3b"}) {
    const TransformerConfig model = ReadModelPreset(name);
    const auto table = MakeRooflineModel(model, device, 2, kTokens);
    const auto formula = MakeRooflineModel(model, device, 2, 1);
    for (int32_t n = 2; n < kTokens; n += 7) {
      EXPECT_EQ(table->IterationSeconds(Decodes(n, n * int64_t{500})),
                formula->IterationSeconds(Decodes(n, n * int64_t{500})))
          << name << ' ' << n;
    }
    IterationShape mixed = Decodes(64, 64000);
    mixed.prefill = {&chunk, 1};
    mixed.prefill_tokens = chunk.new_tokens;
    EXPECT_EQ(table->IterationSeconds(mixed), formula->IterationSeconds(mixed));
  }
}

// The iteration is the sum over the listed operators, priced here by hand.
TEST(RooflineTest, IsTheSumOfItsOperators) {
  const TransformerConfig model = ReadModelPreset("mixtral-8x7b");
  DeviceConfig device = ReadHardwarePreset("a100-80g");
  device.iteration_overhead_seconds = 1e-3;
  device.sequence_overhead_seconds = 1e-5;
  const PrefillChunk chunks[] = {{.new_tokens = 700, .history = 0},
                                 {.new_tokens = 20, .history = 900}};
  const IterationShape shape{.decode_count = 10,
                             .decode_context = 5000,
                             .padding_count = 3,
                             .sampled_count = 14,
                             .prefill_tokens = 720,
                             .prefill = chunks};
  const double n = 4;
  double seconds = 1e-3 + 15 * 1e-5;
  for (const Operator& op : TransformerOperators(model, 4).List(shape)) {
    double work = 0;
    if (op.kind == OperatorKind::kAllReduce) {
      work = 2 * (n - 1) / n * op.bytes / 300e9 + 2 * (n - 1) * 1e-6;
    } else if (op.kind == OperatorKind::kAllGather) {
      work = (n - 1) / n * op.bytes / 300e9 + (n - 1) * 1e-6;
    } else {
      work = std::max(op.flops / (312e12 * 0.77), op.bytes / (2039e9 * 0.72));
    }
    seconds += op.repeats * (work + 6.6e-6);
  }
  EXPECT_NEAR(Seconds(model, device, 4, shape), seconds, seconds * 1e-12);
}

TEST(RooflineTest, Llama2OnA100DecodesInTheRightRange) {
  const double step =
      Seconds(ReadModelPreset("llama2-7b"), ReadHardwarePreset("a100-80g"), 1, Decodes(1, 500));
  EXPECT_GE(step, 13.5e9 / 2.039e12);
  EXPECT_GT(step, 7e-3);
  EXPECT_LT(step, 12e-3);
}

TEST(RooflineTest, PaddingCostsDenseWorkButNoAttention) {
  const TransformerConfig model = ReadModelPreset("llama2-7b");
  const DeviceConfig device = ReadHardwarePreset("a100-80g");
  IterationShape padded = Decodes(10, 10000);
  padded.padding_count = 30;
  padded.sampled_count = 40;
  const double without = Seconds(model, device, 1, Decodes(10, 10000));
  const double with = Seconds(model, device, 1, padded);
  const double as_decodes = Seconds(model, device, 1, Decodes(40, 40000));
  EXPECT_GT(with, without);
  EXPECT_LT(with, as_decodes);
}

TEST(RooflineTest, EightBitWeightsUseTheEightBitPeakAndHalfTheBytes) {
  const TransformerConfig model = ReadModelPreset("llama3.1-8b");
  TransformerConfig quantized = model;
  quantized.weight_bytes_per_parameter = 1;
  const DeviceConfig device = ReadHardwarePreset("h100");
  const PrefillChunk chunk{.new_tokens = 4096, .history = 0};
  const IterationShape prefill{.sampled_count = 1, .prefill_tokens = 4096, .prefill = {&chunk, 1}};
  EXPECT_LT(Seconds(quantized, device, 1, prefill), 0.65 * Seconds(model, device, 1, prefill));
  EXPECT_LT(Seconds(quantized, device, 1, Decodes(1, 100)),
            0.65 * Seconds(model, device, 1, Decodes(1, 100)));

  TransformerConfig four_bit = model;
  four_bit.weight_bytes_per_parameter = 0.5;
  EXPECT_GT(Seconds(four_bit, device, 1, prefill), 0.95 * Seconds(model, device, 1, prefill));
  TransformerConfig wide = model;
  wide.weight_bytes_per_parameter = 4;
  EXPECT_GT(Seconds(wide, device, 1, prefill), 1.5 * Seconds(model, device, 1, prefill));
}

TEST(RooflineTest, AnUnsampledChunkSkipsTheLmHead) {
  const TransformerConfig model = ReadModelPreset("llama3.1-8b");
  const DeviceConfig device = ReadHardwarePreset("h100");
  const PrefillChunk chunk{.new_tokens = 512, .history = 0};
  IterationShape shape{.prefill_tokens = 512, .prefill = {&chunk, 1}};
  const double without = Seconds(model, device, 1, shape);
  shape.sampled_count = 1;
  const double lm_head_bytes = 2.0 * 4096 * 128256;
  EXPECT_GT(Seconds(model, device, 1, shape) - without, lm_head_bytes / 3350e9);
}

TEST(RooflineTest, TensorParallelPaysTheLink) {
  const TransformerConfig model = ReadModelPreset("llama2-70b");
  const DeviceConfig device = ReadHardwarePreset("a100-80g");
  DeviceConfig slow_link = device;
  slow_link.interconnect.latency_seconds += 1e-6;
  const double extra =
      Seconds(model, slow_link, 4, Decodes(8, 8000)) - Seconds(model, device, 4, Decodes(8, 8000));
  // Two all-reduces a layer and one of the embedding, 6 steps each; 3 steps to gather the logits.
  EXPECT_NEAR(extra, ((2 * 80 + 1) * 6 + 3) * 1e-6, 1e-9);
  slow_link.interconnect.bandwidth_bytes_per_second = 0;
  EXPECT_THROW((void)MakeRooflineModel(model, slow_link, 4, 16), InvariantError);
}

}  // namespace
}  // namespace tokensim
