#include "engine/compute/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/io/plan/test_presets.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Names(const std::vector<Operator>& operators) {
  std::vector<std::string> names;
  for (const Operator& op : operators) names.emplace_back(op.name);
  return names;
}

Operator Find(const std::vector<Operator>& operators, const std::string& name) {
  for (const Operator& op : operators) {
    if (op.name == name) return op;
  }
  ADD_FAILURE() << "no operator " << name;
  return {};
}

std::vector<Operator> Dense(const TransformerConfig& model, int32_t devices, int64_t rows) {
  std::vector<Operator> out;
  const TransformerOperators operators(model, {.tensor = devices});
  operators.AppendDense(rows, out);
  operators.AppendExperts(rows, out);
  return out;
}

TEST(OperatorsTest, ListsADenseModel) {
  const PrefillChunk chunk{.new_tokens = 5, .history = 0};
  const IterationShape shape{.decode_count = 2,
                             .decode_context = 40,
                             .sampled_count = 3,
                             .prefill_tokens = 5,
                             .prefill = {&chunk, 1}};
  EXPECT_THAT(Names(TransformerOperators(ReadModelPreset("llama2-7b"), {}).List(shape)),
              ElementsAre("embedding", "input_norm", "qkv_proj", "out_proj", "post_attention_norm",
                          "gate_up_proj", "activation", "down_proj", "final_norm", "lm_head",
                          "sampler", "decode_attention", "prefill_attention"));
}

TEST(OperatorsTest, ListsAnExpertModelOnSeveralDevices) {
  const IterationShape shape{.decode_count = 2, .decode_context = 40, .sampled_count = 2};
  EXPECT_THAT(
      Names(TransformerOperators(ReadModelPreset("mixtral-8x7b"), {.tensor = 2}).List(shape)),
      ElementsAre("embedding", "input_norm", "qkv_proj", "out_proj", "post_attention_norm",
                  "final_norm", "embedding_all_reduce", "attention_all_reduce", "router",
                  "expert_gate_up_proj", "expert_activation", "expert_down_proj", "expert_sum",
                  "mlp_all_reduce", "lm_head", "logits_all_gather", "sampler", "decode_attention"));
}

TEST(OperatorsTest, ListsWholeExpertsAndStages) {
  const IterationShape shape{.decode_count = 2, .decode_context = 40, .sampled_count = 2};
  const ParallelismConfig split = {.tensor = 2, .pipeline = 4, .expert = 2};
  const auto list = TransformerOperators(ReadModelPreset("mixtral-8x7b"), split).List(shape);
  EXPECT_THAT(Names(list),
              ElementsAre("embedding", "input_norm", "qkv_proj", "out_proj", "post_attention_norm",
                          "final_norm", "embedding_all_reduce", "attention_all_reduce",
                          "stage_send", "router", "expert_gate_up_proj", "expert_activation",
                          "expert_down_proj", "expert_sum", "expert_dispatch", "expert_combine",
                          "lm_head", "logits_all_gather", "sampler", "decode_attention"));
  EXPECT_EQ(Find(list, "stage_send").repeats, 3);
  EXPECT_EQ(Find(list, "stage_send").bytes, 2 * 4096 * 2);
  EXPECT_EQ(Find(list, "qkv_proj").repeats, 32);
  IterationShape gathered = shape;
  gathered.gathered_tokens = 10;  // of all ranks, for the experts
  const auto together = TransformerOperators(ReadModelPreset("mixtral-8x7b"), split).List(gathered);
  EXPECT_EQ(Find(together, "router").rows, 10);
  EXPECT_EQ(Find(together, "qkv_proj").rows, 2);
}

// Two experts a row; half of the rows leave from each of two devices.
TEST(OperatorsTest, WholeExpertsComputeAndReadAsMuchAsSlices) {
  const TransformerConfig model = ReadModelPreset("mixtral-8x7b");
  std::vector<Operator> whole;
  TransformerOperators(model, {.tensor = 2, .expert = 2}).AppendExperts(7, whole);
  const std::vector<Operator> slices = Dense(model, 2, 7);
  for (const char* name : {"expert_gate_up_proj", "expert_down_proj"}) {
    EXPECT_EQ(Find(whole, name).flops, Find(slices, name).flops) << name;
    // The weights; activations are fewer rows of more columns.
    const double rows = 7;
    const double weights =
        2.0 * 4096 * 7168 * (name[7] == 'g' ? 2 : 1) * ExpectedDistinctExperts(8, 2, 7);
    EXPECT_NEAR(Find(whole, name).bytes, weights, 2 * rows * 2 * (4096 + 28672)) << name;
    EXPECT_GT(Find(whole, name).bytes, weights) << name;
  }
  EXPECT_EQ(Find(whole, "expert_dispatch").bytes, 7 * 2 / 2 * 4096 * 2);
  EXPECT_EQ(Find(whole, "expert_combine").bytes, 7 * 2 / 2 * 4096 * 2);
  std::vector<Operator> quarters;
  TransformerOperators(model, {.expert = 4}).AppendExperts(8, quarters);
  EXPECT_EQ(Find(quarters, "expert_dispatch").bytes, 8 * 2 / 4 * 4096 * 2);
  // Half of the 14 experts' rows are read and half of the 7 sums written.
  EXPECT_EQ(Find(whole, "expert_sum").bytes, (7 + 3.5) * 4096 * 2);
  EXPECT_EQ(Find(slices, "expert_sum").bytes, (14 + 7) * 4096 * 2);
  EXPECT_EQ(Find(whole, "expert_activation").bytes, 7 * 3 * 14336 * 2);
  EXPECT_EQ(Find(slices, "expert_activation").bytes, 14 * 3 * 7168 * 2);
}

TEST(OperatorsTest, EveryOperatorHasItsPlaceInTheOrder) {
  for (const ModelPreset& preset : ReadModelPresets()) {
    for (const int32_t expert : {1, 2}) {
      const PrefillChunk chunk{.new_tokens = 5, .history = 0};
      const IterationShape shape{.decode_count = 2,
                                 .decode_context = 40,
                                 .sampled_count = 3,
                                 .prefill_tokens = 5,
                                 .prefill = {&chunk, 1}};
      const ParallelismConfig split = {.tensor = 2, .pipeline = 2, .expert = expert};
      for (const Operator& op : TransformerOperators(preset.config, split).List(shape)) {
        EXPECT_LE(ExecutionRank(op.name), ExecutionRank("sampler")) << op.name;
      }
    }
  }
  EXPECT_LT(ExecutionRank("qkv_proj"), ExecutionRank("decode_attention"));
  EXPECT_LT(ExecutionRank("decode_attention"), ExecutionRank("out_proj"));
  EXPECT_LT(ExecutionRank("expert_combine"), ExecutionRank("expert_sum"));
}

TEST(OperatorsTest, GemmFlopsAreTwicePerParameterAndRow) {
  const TransformerConfig model = ReadModelPreset("llama2-7b");
  double flops = 0;
  double parameters_of_gemms = 0;
  for (const Operator& op : Dense(model, 1, 10)) {
    if (op.kind == OperatorKind::kGemm) flops += op.repeats * op.flops;
  }
  const double hidden = 4096;
  parameters_of_gemms = static_cast<double>(ParameterCount(model)) - 2 * hidden * 32000  // ends
                        - (2 * 32 + 1) * hidden;                                         // norms
  EXPECT_EQ(flops, 2 * 10 * parameters_of_gemms);
}

TEST(OperatorsTest, OneRowReadsEveryWeightOnce) {
  const TransformerConfig model = ReadModelPreset("llama2-7b");
  const Operator down = Find(Dense(model, 1, 1), "down_proj");
  EXPECT_EQ(down.bytes, 2.0 * 11008 * 4096 + 2.0 * (11008 + 4096));
  TransformerConfig int4 = model;
  int4.weight_bytes_per_parameter = 0.5;
  EXPECT_EQ(Find(Dense(int4, 1, 1), "down_proj").bytes, 0.5 * 11008 * 4096 + 2.0 * (11008 + 4096));
}

TEST(OperatorsTest, EmbeddingReadsOnlyItsRows) {
  const TransformerConfig model = ReadModelPreset("llama3.1-8b");
  EXPECT_EQ(Find(Dense(model, 1, 3), "embedding").bytes, 3 * 4096 * (2 + 2));
}

TEST(OperatorsTest, PlainMlpHasOneUpMatrix) {
  const Operator up = Find(Dense(ReadModelPreset("opt-13b"), 1, 1), "up_proj");
  EXPECT_EQ(up.flops, 2.0 * 5120 * 20480);
}

TEST(OperatorsTest, TensorParallelDividesTheFlops) {
  const TransformerConfig model = ReadModelPreset("llama2-70b");
  for (const char* name : {"qkv_proj", "out_proj", "gate_up_proj", "down_proj"}) {
    const double whole = Find(Dense(model, 1, 7), name).flops;
    EXPECT_EQ(Find(Dense(model, 8, 7), name).flops, whole / 8) << name;
  }
  const TransformerOperators one(model, {});
  const TransformerOperators eight(model, {.tensor = 8});
  EXPECT_EQ(eight.DecodeAttention(4, 1000).flops, one.DecodeAttention(4, 1000).flops / 8);
  EXPECT_EQ(eight.DecodeAttention(4, 1000).bytes, one.DecodeAttention(4, 1000).bytes / 8);
}

TEST(OperatorsTest, AllReducesCarryTheResidualStream) {
  const Operator reduce = Find(Dense(ReadModelPreset("llama2-70b"), 4, 7), "mlp_all_reduce");
  EXPECT_EQ(reduce.bytes, 7 * 8192 * 2);
  EXPECT_EQ(reduce.repeats, 80);
}

TEST(OperatorsTest, DecodeAttentionReadsKvHeadsOnly) {
  // Llama-2-70B: 8 KV heads for 64 attention heads.
  const TransformerOperators operators(ReadModelPreset("llama2-70b"), {});
  const Operator attention = operators.DecodeAttention(1, 1000);
  const double kv = 2 * 8 * 128 * 2;
  const double query_and_output = 2 * 64 * 128 * 2;
  EXPECT_EQ(attention.bytes, 1000 * kv + kv + query_and_output);
  EXPECT_EQ(attention.flops, 1000.0 * 4 * 64 * 128);
  EXPECT_EQ(attention.repeats, 80);
}

TEST(OperatorsTest, ChunkingDoesNotChangeTheAttentionFlops) {
  const TransformerOperators operators(ReadModelPreset("llama3.1-8b"), {});
  const int32_t prompt = 8191;
  const PrefillChunk whole{.new_tokens = prompt, .history = 0};
  const Operator once = operators.PrefillAttention({&whole, 1});
  // Every token attends to itself and to those before.
  EXPECT_EQ(once.flops, 4.0 * 32 * 128 * (double{prompt} * (prompt + 1) / 2));
  for (const int32_t size : {1, 16, 500, 2048, 8190}) {
    double flops = 0;
    double bytes = 0;
    for (int32_t done = 0; done < prompt; done += size) {
      const PrefillChunk part{.new_tokens = std::min(size, prompt - done), .history = done};
      const Operator op = operators.PrefillAttention({&part, 1});
      flops += op.flops;
      bytes += op.bytes;
    }
    EXPECT_EQ(flops, once.flops) << size;
    EXPECT_GT(bytes, once.bytes) << size;  // the history is read again
  }
}

TEST(OperatorsTest, OneTokenChunkEqualsADecode) {
  const TransformerOperators operators(ReadModelPreset("llama3.1-8b"), {});
  const PrefillChunk chunk{.new_tokens = 1, .history = 99};
  const Operator prefill = operators.PrefillAttention({&chunk, 1});
  const Operator decode = operators.DecodeAttention(1, 100);
  EXPECT_EQ(prefill.flops, decode.flops);
  EXPECT_EQ(prefill.bytes, decode.bytes);
}

TEST(OperatorsTest, ExpectedExperts) {
  EXPECT_NEAR(ExpectedDistinctExperts(8, 2, 1), 2, 1e-12);
  EXPECT_NEAR(ExpectedDistinctExperts(8, 2, 2), 8 * (1 - 0.75 * 0.75), 1e-12);
  EXPECT_NEAR(ExpectedDistinctExperts(128, 8, 100000), 128, 1e-9);
  EXPECT_EQ(ExpectedDistinctExperts(4, 4, 1), 4);
}

TEST(OperatorsTest, ExpertsComputeRoutedRowsAndReadActivatedWeights) {
  const TransformerConfig model = ReadModelPreset("mixtral-8x7b");
  const double matrix = 14336.0 * 4096;
  const Operator one = Find(Dense(model, 1, 1), "expert_down_proj");
  EXPECT_EQ(one.flops, 2 * 2 * matrix);
  EXPECT_NEAR(one.bytes, 2 * 2 * matrix + 2 * 2 * (14336 + 4096), 1);
  const Operator many = Find(Dense(model, 1, 1000), "expert_down_proj");
  EXPECT_EQ(many.flops, 2 * 2000 * matrix);
  EXPECT_NEAR(many.bytes, 8 * 2 * matrix + 2000.0 * 2 * (14336 + 4096), 1);
}

TEST(OperatorsTest, OutputIsForSampledRowsOnly) {
  const TransformerOperators operators(ReadModelPreset("llama2-7b"), {});
  std::vector<Operator> out;
  operators.AppendOutput(0, out);
  EXPECT_TRUE(out.empty());
  operators.AppendOutput(3, out);
  EXPECT_EQ(Find(out, "lm_head").flops, 2.0 * 3 * 4096 * 32000);
}

// Three dense layers and five with experts, of which two have a window.
Model Layered() {
  const Attention latent = {.kind = AttentionKind::kLatent,
                            .heads = 16,
                            .head_dim = 32,
                            .value_dim = 32,
                            .query_rank = 96,
                            .kv_rank = 64,
                            .rope_dim = 16};
  const Attention full = {.heads = 16, .kv_heads = 4, .head_dim = 32, .value_dim = 32};
  Attention window = full;
  window.window = 64;
  const Attention linear = {.kind = AttentionKind::kLinear,
                            .linear = {.kind = LinearKind::kKda,
                                       .heads = 8,
                                       .key_heads = 8,
                                       .key_dim = 32,
                                       .value_dim = 32,
                                       .conv_width = 4}};
  const Mlp experts = {
      .width = 64, .experts = 32, .experts_per_token = 4, .shared_width = 128, .latent = 48};
  Model model = {.name = "layered",
                 .hidden_size = 256,
                 .vocab_size = 1000,
                 .groups = {{.count = 3, .attention = latent, .mlp = {.width = 512}},
                            {.count = 1, .attention = full, .mlp = experts},
                            {.count = 2, .attention = window, .mlp = experts},
                            {.count = 2, .attention = linear, .mlp = experts},
                            {.count = 1,
                             .attention = {.kind = AttentionKind::kNone},
                             .mlp = {.width = 512, .gated = false}}}};
  model.groups[0].attention.index = {.heads = 8, .head_dim = 16, .top_k = 100, .key_bytes = 20};
  return model;
}

TEST(OperatorsTest, LayersThatShareAnOperatorHaveItOnce) {
  std::vector<Operator> out;
  const TransformerOperators operators(Layered(), {});
  operators.AppendDense(1, out);
  operators.AppendExperts(1, out);
  EXPECT_EQ(Find(out, "qkv_proj").repeats, 3);  // the window makes no difference
  EXPECT_EQ(Find(out, "latent_down_proj").repeats, 3);
  EXPECT_EQ(Find(out, "linear_in_proj").repeats, 2);
  EXPECT_EQ(Find(out, "gate_up_proj").repeats, 3);
  EXPECT_EQ(Find(out, "up_proj").repeats, 1);
  EXPECT_EQ(Find(out, "shared_down_proj").repeats, 5);
  EXPECT_EQ(Find(out, "expert_down_proj").repeats, 5);
}

// Every matrix is multiplied once by a row: twice as many operations as active parameters, but for
// the convolution, which is counted as memory.
TEST(OperatorsTest, GemmsOfLayersAreTheirActiveParameters) {
  const Model model = Layered();
  std::vector<Operator> out;
  const TransformerOperators operators(model, {});
  operators.AppendDense(1, out);
  operators.AppendExperts(1, out);
  operators.AppendOutput(1, out);
  double flops = 0;
  for (const Operator& op : out) flops += op.repeats * op.flops;
  const double norms = 256.0 * (8 + 9 + 1);
  const double convolution = 2.0 * (3 * 8 * 32) * 4;
  const double embedding = 256.0 * 1000;
  const auto active = static_cast<double>(ActiveParameterCount(model));
  EXPECT_EQ(flops / 2, active - norms - convolution - embedding);
}

TEST(OperatorsTest, WeightsAreReadInTheFormatOfTheirPart) {
  Model model = Layered();
  model.formats.experts = {.bytes = 0.5625};
  model.formats.attention = {.bytes = 1, .number = NumberFormat::kFp8};
  std::vector<Operator> out;
  const TransformerOperators operators(model, {});
  operators.AppendDense(1, out);
  operators.AppendExperts(1, out);
  EXPECT_EQ(Find(out, "qkv_proj").format.number, NumberFormat::kFp8);
  EXPECT_EQ(Find(out, "gate_up_proj").format.number, NumberFormat::k16Bit);
  EXPECT_EQ(Find(out, "expert_down_proj").bytes, 4 * (64.0 * 48 * 0.5625) + 4 * (64.0 + 48) * 2);
}

TEST(OperatorsTest, EveryOperatorOfLayersHasItsPlaceInTheOrder) {
  Model model = Layered();
  model.groups[0].attention.direct = true;
  model.groups[0].attention.output_rank = 24;
  model.groups[0].attention.output_groups = 4;
  const PrefillChunk chunk{.new_tokens = 5, .history = 0};
  const IterationShape shape{.decode_count = 2,
                             .decode_context = 40,
                             .sampled_count = 3,
                             .prefill_tokens = 5,
                             .prefill = {&chunk, 1}};
  for (const Model& each : {Layered(), model}) {
    for (const ParallelismConfig& split : {ParallelismConfig{.tensor = 2, .pipeline = 3},
                                           {.tensor = 2, .expert = 2},
                                           {.expert = 2, .data = 2}}) {
      for (const Operator& op : TransformerOperators(each, split).List(shape)) {
        EXPECT_LE(ExecutionRank(op.name), ExecutionRank("sampler")) << op.name;
      }
    }
  }
}

}  // namespace
}  // namespace tokensim
