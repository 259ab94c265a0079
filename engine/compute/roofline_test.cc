#include "engine/compute/roofline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "engine/base/invariant.h"
#include "engine/compute/operators.h"
#include "engine/io/plan/test_presets.h"

namespace tokensim {
namespace {

constexpr int32_t kTokens = 4096;

IterationShape Decodes(int32_t count, int64_t context) {
  return {.decode_count = count, .decode_context = context, .sampled_count = count};
}

double Seconds(const TransformerConfig& model, const DeviceConfig& device,
               const ParallelismConfig& split, const IterationShape& shape) {
  return MakeRooflineModel(model, device, split, kTokens)->IterationSeconds(shape);
}

TEST(RooflineTest, TableAndFormulaAreBitEqual) {
  const DeviceConfig device = ReadHardwarePreset("h100");
  const PrefillChunk chunk{.new_tokens = 333, .history = 77};
  for (const char* name : {"llama3.1-8b", "qwen3-30b-a3b"}) {
    const TransformerConfig model = ReadModelPreset(name);
    const auto table = MakeRooflineModel(model, device, {.tensor = 2}, kTokens);
    const auto formula = MakeRooflineModel(model, device, {.tensor = 2}, 1);
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
  for (const Operator& op : TransformerOperators(model, {.tensor = 4}).List(shape)) {
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
  EXPECT_NEAR(Seconds(model, device, {.tensor = 4}, shape), seconds, seconds * 1e-12);
}

TEST(RooflineTest, Llama2OnA100DecodesInTheRightRange) {
  const double step =
      Seconds(ReadModelPreset("llama2-7b"), ReadHardwarePreset("a100-80g"), {}, Decodes(1, 500));
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
  const double without = Seconds(model, device, {}, Decodes(10, 10000));
  const double with = Seconds(model, device, {}, padded);
  const double as_decodes = Seconds(model, device, {}, Decodes(40, 40000));
  EXPECT_GT(with, without);
  EXPECT_LT(with, as_decodes);
}

TEST(RooflineTest, EightBitWeightsUseTheEightBitPeakAndHalfTheBytes) {
  const TransformerConfig model = ReadModelPreset("llama3.1-8b");
  TransformerConfig quantized = model;
  quantized.weight_bytes_per_parameter = 1;
  quantized.weight_format = NumberFormat::kFp8;
  const DeviceConfig device = ReadHardwarePreset("h100");
  const PrefillChunk chunk{.new_tokens = 4096, .history = 0};
  const IterationShape prefill{.sampled_count = 1, .prefill_tokens = 4096, .prefill = {&chunk, 1}};
  EXPECT_LT(Seconds(quantized, device, {}, prefill), 0.65 * Seconds(model, device, {}, prefill));
  EXPECT_LT(Seconds(quantized, device, {}, Decodes(1, 100)),
            0.65 * Seconds(model, device, {}, Decodes(1, 100)));

  TransformerConfig four_bit = model;
  four_bit.weight_bytes_per_parameter = 0.5;
  four_bit.weight_format = NumberFormat::kInt4;
  EXPECT_GT(Seconds(four_bit, device, {}, prefill), 0.95 * Seconds(model, device, {}, prefill));
  TransformerConfig wide = model;
  wide.weight_bytes_per_parameter = 4;
  wide.weight_format = NumberFormat::k32Bit;
  EXPECT_GT(Seconds(wide, device, {}, prefill), 1.5 * Seconds(model, device, {}, prefill));
}

TEST(RooflineTest, AnUnsampledChunkSkipsTheLmHead) {
  const TransformerConfig model = ReadModelPreset("llama3.1-8b");
  const DeviceConfig device = ReadHardwarePreset("h100");
  const PrefillChunk chunk{.new_tokens = 512, .history = 0};
  IterationShape shape{.prefill_tokens = 512, .prefill = {&chunk, 1}};
  const double without = Seconds(model, device, {}, shape);
  shape.sampled_count = 1;
  const double lm_head_bytes = 2.0 * 4096 * 128256;
  EXPECT_GT(Seconds(model, device, {}, shape) - without, lm_head_bytes / 3350e9);
}

TEST(RooflineTest, TensorParallelPaysTheLink) {
  const TransformerConfig model = ReadModelPreset("llama2-70b");
  const DeviceConfig device = ReadHardwarePreset("a100-80g");
  DeviceConfig slow_link = device;
  slow_link.interconnect.latency_seconds += 1e-6;
  const double extra = Seconds(model, slow_link, {.tensor = 4}, Decodes(8, 8000)) -
                       Seconds(model, device, {.tensor = 4}, Decodes(8, 8000));
  // Two all-reduces a layer and one of the embedding, 6 steps each; 3 steps to gather the logits.
  EXPECT_NEAR(extra, ((2 * 80 + 1) * 6 + 3) * 1e-6, 1e-9);
  slow_link.interconnect.bandwidth_bytes_per_second = 0;
  EXPECT_THROW((void)MakeRooflineModel(model, slow_link, {.tensor = 4}, 16), InvariantError);
}

// Two stages of 40 layers, 4 micro-batches of 3 rows, priced by hand.
TEST(RooflineTest, PipelineIsAFlowShop) {
  const TransformerConfig model = ReadModelPreset("llama2-70b");
  DeviceConfig device = ReadHardwarePreset("h100");
  device.iteration_overhead_seconds = 1e-3;
  const ParallelismConfig split = {.tensor = 2, .pipeline = 2, .micro_batches = 4};
  const auto price = [&](const Operator& op) {
    double work = std::max(op.flops / (989e12 * 0.80), op.bytes / (3350e9 * 0.86));
    if (op.kind == OperatorKind::kAllReduce) work = op.bytes / 450e9 + 2 * 800e-9;
    if (op.kind == OperatorKind::kAllGather) work = op.bytes / 2 / 450e9 + 800e-9;
    if (op.kind == OperatorKind::kSend) work = op.bytes / 450e9 + 800e-9;
    return work + 3.8e-6;
  };
  // 10 decodes: micro-batches of ceil(10 / 4) = 3 rows and a quarter of the attention.
  double first = 0;
  double last = 0;
  double send = 0;
  const IterationShape part{.decode_count = 3, .sampled_count = 3};
  for (Operator op : TransformerOperators(model, split).List(part)) {
    if (op.kind == OperatorKind::kAttention) {
      op = TransformerOperators(model, split).DecodeAttention(10, 5000);
      op.flops /= 4;
      op.bytes /= 4;
    }
    const double seconds = price(op);
    if (op.kind == OperatorKind::kSend) {
      send = seconds;
    } else if (op.repeats == 80) {
      first += 40 * seconds;
      last += 40 * seconds;
    } else if (std::string(op.name).starts_with("embedding")) {
      first += seconds;
    } else {
      last += seconds;
    }
  }
  const double expected = first + send + last + 3 * std::max(first, last) + 1e-3;
  const auto compute = MakeRooflineModel(model, device, split, kTokens);
  EXPECT_NEAR(compute->IterationSeconds(Decodes(10, 5000)), expected, expected * 1e-12);
  // Beyond the table the formula.
  EXPECT_EQ(MakeRooflineModel(model, device, split, 1)->IterationSeconds(Decodes(10, 5000)),
            compute->IterationSeconds(Decodes(10, 5000)));
}

TEST(RooflineTest, ASlowLinkBetweenStagesIsTheBottleneck) {
  const TransformerConfig model = ReadModelPreset("llama2-7b");
  DeviceConfig device = ReadHardwarePreset("a100-80g");
  device.interconnect.latency_seconds = 1;  // a hop takes a second, a stage milliseconds
  const ParallelismConfig split = {.pipeline = 4, .micro_batches = 8};
  // Three hops, and the link seven times more.
  EXPECT_NEAR(Seconds(model, device, split, Decodes(64, 64)), 10, 0.1);
}

TEST(RooflineTest, OneMicroBatchAddsOnlyTheSends) {
  const TransformerConfig model = ReadModelPreset("llama2-7b");
  const DeviceConfig device = ReadHardwarePreset("a100-80g");
  const IterationShape shape = Decodes(64, 32000);
  const double hop = 64 * 4096 * 2 / 300e9 + 1e-6 + 6.6e-6;
  const double whole = Seconds(model, device, {}, shape);
  EXPECT_NEAR(Seconds(model, device, {.pipeline = 4}, shape), whole + 3 * hop, whole * 1e-12);
  // One row cannot be cut.
  const ParallelismConfig many = {.pipeline = 4, .micro_batches = 8};
  EXPECT_EQ(Seconds(model, device, many, Decodes(1, 500)),
            Seconds(model, device, {.pipeline = 4}, Decodes(1, 500)));
  // Without stages micro-batches mean nothing.
  EXPECT_EQ(Seconds(model, device, {.micro_batches = 8}, shape), whole);
}

TEST(RooflineTest, MoreMicroBatchesShrinkTheBubble) {
  const TransformerConfig model = ReadModelPreset("llama2-70b");
  const DeviceConfig device = ReadHardwarePreset("h100");
  const PrefillChunk chunk{.new_tokens = 65536, .history = 0};
  const IterationShape prompt{.prefill_tokens = 65536, .prefill = {&chunk, 1}};
  const double ideal = Seconds(model, device, {}, prompt) / 4;
  double last = 4 * ideal * 1.01;
  for (const int32_t m : {1, 2, 4, 8, 16}) {
    const double seconds = Seconds(model, device, {.pipeline = 4, .micro_batches = m}, prompt);
    EXPECT_LT(seconds, last) << m;
    // GPipe: (m + p - 1) / m of the ideal.
    EXPECT_NEAR(seconds / ideal, (m + 3.0) / m, 0.05) << m;
    last = seconds;
  }
}

TEST(RooflineTest, WholeExpertsExchangeRowsInsteadOfSums) {
  const TransformerConfig model = ReadModelPreset("mixtral-8x7b");
  DeviceConfig device = ReadHardwarePreset("h100");
  const IterationShape shape = Decodes(64, 32000);
  const ParallelismConfig whole = {.tensor = 4, .expert = 4};
  const double base = Seconds(model, device, whole, shape);
  device.interconnect.latency_seconds += 1e-6;
  // A layer: an all-reduce of 6 steps, two all-to-alls of 3; embedding 6, logits 3.
  EXPECT_NEAR(Seconds(model, device, whole, shape) - base, (32 * (6 + 3 + 3) + 6 + 3) * 1e-6, 1e-9);
}

TEST(RooflineTest, OperatorsRunInTheOrderOfALayer) {
  const auto compute = MakeRooflineModel(ReadModelPreset("llama2-7b"),
                                         ReadHardwarePreset("a100-80g"), {.tensor = 2}, 16);
  EXPECT_THAT(compute->OperatorNames(),
              ::testing::ElementsAre("embedding", "embedding_all_reduce", "input_norm", "qkv_proj",
                                     "prefill_attention", "decode_attention", "out_proj",
                                     "attention_all_reduce", "post_attention_norm", "gate_up_proj",
                                     "activation", "down_proj", "mlp_all_reduce", "final_norm",
                                     "lm_head", "logits_all_gather", "sampler"));
}

// Attention of layers that differ is the sum of each kind's, as listed.
TEST(RooflineTest, LayersThatDifferAreSummed) {
  const Attention full = {.heads = 16, .kv_heads = 4, .head_dim = 64, .value_dim = 64};
  Attention window = full;
  window.window = 128;
  const Attention latent = {.kind = AttentionKind::kLatent,
                            .heads = 16,
                            .head_dim = 64,
                            .value_dim = 64,
                            .index = {.heads = 8, .head_dim = 32, .top_k = 256, .key_bytes = 36},
                            .query_rank = 128,
                            .kv_rank = 128,
                            .rope_dim = 32};
  const ::tokensim::Model model = {
      .hidden_size = 1024,
      .vocab_size = 1000,
      .groups = {{.count = 3, .attention = full, .mlp = {.width = 2048}},
                 {.count = 5, .attention = window, .mlp = {.width = 2048}},
                 {.count = 2, .attention = latent, .mlp = {.width = 2048}}}};
  const DeviceConfig device = ReadHardwarePreset("h100");
  const PrefillChunk chunk{.new_tokens = 300, .history = 100};
  IterationShape shape = Decodes(9, 9 * 3000);
  shape.prefill = {&chunk, 1};
  shape.prefill_tokens = 300;
  const auto compute = MakeRooflineModel(model, device, {}, kTokens);
  double sum = 0;
  const auto pricer = MakeRooflinePricer(model, device, {});
  for (const Operator& op : TransformerOperators(model, {}).List(shape)) {
    sum += op.repeats * pricer->Seconds(op);
  }
  EXPECT_NEAR(compute->IterationSeconds(shape), sum, 1e-12);
  EXPECT_EQ(compute->Windows(), (std::vector<AttentionWindow>{{128, false}, {256, false}}));
  // A window makes long contexts cheaper, and no others.
  ::tokensim::Model wide = model;
  wide.groups[1].attention.window = 0;
  const auto without = MakeRooflineModel(wide, device, {}, kTokens);
  EXPECT_LT(compute->IterationSeconds(Decodes(9, 9 * 3000)),
            without->IterationSeconds(Decodes(9, 9 * 3000)));
  EXPECT_EQ(compute->IterationSeconds(Decodes(9, 9 * 100)),
            without->IterationSeconds(Decodes(9, 9 * 100)));
  // The operators of an operator log add up to the iteration, a name once in each layer.
  double logged = 0;
  int attention = 0;
  for (const OperatorTime& op : compute->OperatorTimes(shape)) {
    logged += op.seconds;
    attention += std::string(op.name) == "decode_attention" ? 1 : 0;
  }
  EXPECT_EQ(attention, 10);
  EXPECT_NEAR(logged + device.iteration_overhead_seconds + 10 * device.sequence_overhead_seconds,
              compute->IterationSeconds(shape), 1e-9);
}

}  // namespace
}  // namespace tokensim
