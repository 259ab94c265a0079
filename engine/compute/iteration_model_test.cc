#include "engine/compute/iteration_model.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "engine/compute/operators.h"
#include "engine/compute/roofline.h"
#include "engine/io/plan/test_presets.h"

namespace tokensim {
namespace {

// Every operator takes a second, attention ten seconds a layer.
class UnitPricer final : public OperatorPricer {
 public:
  double Seconds(const Operator& op) const override { return op.rows > 0 ? 1 : 0; }
  AttentionSeconds Attention(const IterationShape& shape, int32_t parts) const override {
    return {.prefill = shape.prefill.empty() ? 0 : 10.0 / parts,
            .decode = shape.decode_count == 0 ? 0 : 10.0 / parts};
  }
  std::string Source(const std::string& /*name*/) const override { return "unit"; }
};

std::unique_ptr<const ComputeModel> Model(const CalibrationConfig& calibration,
                                          const char* preset = "llama2-7b",
                                          ParallelismConfig split = {}) {
  return MakeIterationModel({.model = ReadModelPreset(preset),
                             .parallelism = split,
                             .pricer = std::make_unique<UnitPricer>(),
                             .calibration = calibration,
                             .expected_max_tokens = 64});
}

IterationShape Decodes(int32_t count) {
  return {.decode_count = count, .decode_context = 100, .sampled_count = count};
}

const PrefillChunk kChunk{.new_tokens = 8, .history = 0};
IterationShape Prompt() {
  return {.sampled_count = 1, .prefill_tokens = 8, .prefill = {&kChunk, 1}};
}

// Llama-2-7B: 32 layers of seven dense operators; embedding and final norm; LM head and sampler.
constexpr double kDense = 32 * 7 + 2;
constexpr double kOutput = 2;
constexpr double kAttention = 32 * 10;

TEST(IterationModelTest, IsTheSumOfItsOperators) {
  EXPECT_DOUBLE_EQ(Model({})->IterationSeconds(Decodes(3)), kDense + kOutput + kAttention);
  EXPECT_DOUBLE_EQ(Model({})->IterationSeconds(Prompt()), kDense + kOutput + kAttention);
}

TEST(IterationModelTest, FactorsAreOfTheirOperators) {
  const auto model = Model({.dense_factor = 1.5,
                            .prefill_dense_factor = 2,
                            .attention_factor = 0.5,
                            .layer_seconds = 3});
  const double rest = 0.5 * kAttention + kOutput * 1.5 + 32 * 3;
  EXPECT_DOUBLE_EQ(model->IterationSeconds(Decodes(3)), 1.5 * kDense + rest);
  EXPECT_DOUBLE_EQ(model->IterationSeconds(Prompt()), 3 * kDense + rest);
}

// ---- Calibrations of a device with peaks

constexpr double kPeak = 100e12;
constexpr double kBandwidth = 1e12;

// Half the peaks, and 5 us a kernel.
std::unique_ptr<const ComputeModel> Real(const CalibrationConfig& calibration,
                                         ParallelismConfig split = {}) {
  DeviceConfig device;
  device.peak_flops = device.peak_8bit_flops = kPeak;
  device.memory_bandwidth_bytes_per_second = kBandwidth;
  device.compute_efficiency = device.memory_efficiency = 0.5;
  device.kernel_launch_seconds = 5e-6;
  device.interconnect.bandwidth_bytes_per_second = 100e9;
  const TransformerConfig model = ReadModelPreset("llama2-7b");
  return MakeIterationModel({.model = model,
                             .parallelism = split,
                             .pricer = MakeRooflinePricer(model, device, split),
                             .calibration = calibration,
                             .device = device,
                             .expected_max_tokens = 4096});
}

IterationShape LongPrompt(const PrefillChunk& chunk) {
  return {.sampled_count = 1, .prefill_tokens = chunk.new_tokens, .prefill = {&chunk, 1}};
}

double SecondsOf(const ComputeModel& model, const IterationShape& shape, std::string_view name) {
  double seconds = 0;
  for (const OperatorTime& op : model.OperatorTimes(shape)) {
    if (op.name == name) seconds += op.seconds;
  }
  return seconds;
}

TEST(IterationModelTest, TheLaunchComesOffEachCallOfAttention) {
  const PrefillChunk chunk{.new_tokens = 2048, .history = 0};
  for (const IterationShape& shape : {Decodes(30), LongPrompt(chunk)}) {
    const double saved = Real({})->IterationSeconds(shape) -
                         Real({.attention_launch_seconds = 2e-6})->IterationSeconds(shape);
    EXPECT_NEAR(saved, 32 * 2e-6, 1e-12);
  }
}

// Two layers of full attention beside three with a window.
std::unique_ptr<const ComputeModel> Mixed(CalibrationConfig calibration, double bandwidth) {
  LayerGroup full = {.count = 2,
                     .attention = {.heads = 8, .kv_heads = 8, .head_dim = 64, .value_dim = 64},
                     .mlp = {.width = 256}};
  LayerGroup windowed = full;
  windowed.count = 3;
  windowed.attention.window = 128;
  tokensim::Model model;
  model.hidden_size = 512;
  model.vocab_size = 1000;
  model.groups = {full, windowed};
  DeviceConfig device;
  device.peak_flops = device.peak_8bit_flops = kPeak;
  device.memory_bandwidth_bytes_per_second = bandwidth;
  device.kernel_launch_seconds = 5e-6;
  return MakeIterationModel({.model = model,
                             .pricer = MakeRooflinePricer(model, device, {}),
                             .calibration = std::move(calibration),
                             .device = device});
}

TEST(IterationModelTest, TheLaunchComesOffEachLayerOfAModelWhoseLayersDiffer) {
  const double saved =
      Mixed({}, kBandwidth)->IterationSeconds(Decodes(30)) -
      Mixed({.attention_launch_seconds = 2e-6}, kBandwidth)->IterationSeconds(Decodes(30));
  EXPECT_NEAR(saved, 5 * 2e-6, 1e-12);
}

// Of the mean layer, which is bound by the mean of the bytes: those of the windows count as read.
TEST(IterationModelTest, NoConstantBeatsThePeaksOfLayersThatDiffer) {
  const IterationShape shape{.decode_count = 4, .decode_context = 4000, .sampled_count = 4};
  const auto model = Mixed({.attention_factor = 0.5, .attention_launch_seconds = 1}, 1e6);
  // Of 8 heads of 64, 16-bit: keys and values of the tokens; query, key, value and output of 4 rows.
  const auto bytes = [](double tokens) { return 2.0 * 512 * (2 * tokens + 4 * 4); };
  EXPECT_NEAR(SecondsOf(*model, shape, "decode_attention"),
              (2 * bytes(4000) + 3 * bytes(4 * 128)) / 1e6, 1e-6);
}

TEST(IterationModelTest, NoConstantBeatsThePeaks) {
  const CalibrationConfig fast{
      .dense_factor = 0.5, .attention_factor = 0.5, .attention_launch_seconds = 20e-6};
  const auto model = Real(fast);
  const IterationShape decodes{.decode_count = 16, .decode_context = 16'000, .sampled_count = 16};
  const TransformerOperators operators(ReadModelPreset("llama2-7b"), {});
  const Operator op = operators.DecodeAttention(16, 16'000);
  EXPECT_NEAR(SecondsOf(*model, decodes, "decode_attention"), 32 * op.bytes / kBandwidth, 1e-12);
  const auto halves = Real(fast, {.pipeline = 2, .micro_batches = 2});  // half of them at a time
  EXPECT_NEAR(SecondsOf(*halves, decodes, "decode_attention"), 16 * op.bytes / kBandwidth, 1e-12);
  // Half of twice the time at the peaks is the least there is.
  for (const Operator& each : operators.List(decodes)) {
    const double least = std::max(each.flops / kPeak, each.bytes / kBandwidth);
    EXPECT_GE(SecondsOf(*model, decodes, each.name), each.repeats * least * (1 - 1e-12))
        << each.name;
  }
}

TEST(IterationModelTest, WhatWasPricedBelowThePeaksStaysThere) {
  // As a measurement out of the cache may be: it is not made slower either.
  CalibrationConfig calibration;
  EXPECT_EQ(Model(calibration)->IterationSeconds(Decodes(3)), kDense + kOutput + kAttention);
  calibration.attention_launch_seconds = 100;  // of 10 s a layer
  EXPECT_GE(Model(calibration)->IterationSeconds(Decodes(3)), kDense + kOutput);
}

TEST(IterationModelTest, SustainedClocksSlowArithmeticOnly) {
  const auto plain = Real({});
  const auto slow = Real({.compute_factor = 1.25});
  const PrefillChunk chunk{.new_tokens = 4096, .history = 0};
  const IterationShape prompt = LongPrompt(chunk);
  for (const char* name : {"gate_up_proj", "prefill_attention"}) {
    const double launches = 32 * 5e-6;
    EXPECT_NEAR(
        (SecondsOf(*slow, prompt, name) - launches) / (SecondsOf(*plain, prompt, name) - launches),
        1.25, 0.01)
        << name;
  }
  EXPECT_EQ(SecondsOf(*slow, prompt, "activation"), SecondsOf(*plain, prompt, "activation"));
  // A few rows are bound by the weights, whether a prompt is among them or not.
  const PrefillChunk few{.new_tokens = 40, .history = 0};
  EXPECT_EQ(slow->IterationSeconds(Decodes(40)), plain->IterationSeconds(Decodes(40)));
  EXPECT_EQ(slow->IterationSeconds(LongPrompt(few)), plain->IterationSeconds(LongPrompt(few)));
}

TEST(IterationModelTest, DevicesWaitAtEachAllReduce) {
  const ParallelismConfig split{.tensor = 2};
  EXPECT_NEAR(Real({.all_reduce_seconds = 3e-6}, split)->IterationSeconds(Decodes(4)) -
                  Real({}, split)->IterationSeconds(Decodes(4)),
              65 * 3e-6, 1e-12);  // two in each layer and one behind the embedding
}

TEST(IterationModelTest, TheHostAddsOrOverlaps) {
  CalibrationConfig calibration{.iteration_seconds = 100, .sequence_seconds = 50};
  const double gpu = kDense + kOutput + kAttention;
  EXPECT_DOUBLE_EQ(Model(calibration)->IterationSeconds(Decodes(4)), gpu + 300);
  calibration.overlaps_host = true;
  EXPECT_DOUBLE_EQ(Model(calibration)->IterationSeconds(Decodes(4)), gpu);
  EXPECT_DOUBLE_EQ(Model(calibration)->IterationSeconds(Decodes(40)), 2100);
  const auto stages = Model({.iteration_seconds = 2000, .overlaps_host = true}, "llama2-7b",
                            {.pipeline = 2, .micro_batches = 2});
  EXPECT_DOUBLE_EQ(stages->IterationSeconds(Decodes(4)), 2000);
  EXPECT_DOUBLE_EQ(stages->OperatorTimes(Decodes(4)).back().end_seconds(), 2000);
}

TEST(IterationModelTest, RowsArePaddedToTheNextCapturedGraph) {
  const auto plain =
      MakeRooflineModel(ReadModelPreset("llama2-7b"), ReadHardwarePreset("a100-80g"), {}, 64);
  const auto graphs =
      MakeIterationModel({.model = ReadModelPreset("llama2-7b"),
                          .parallelism = {},
                          .pricer = MakeRooflinePricer(ReadModelPreset("llama2-7b"),
                                                       ReadHardwarePreset("a100-80g"), {}),
                          .calibration = {.capture_sizes = {1, 8, 16}},
                          .expected_max_tokens = 64});
  const auto attention = [](int32_t count, int32_t rows) {
    IterationShape shape = Decodes(count);
    shape.padding_count = rows - count;
    shape.sampled_count = count;
    return shape;
  };
  EXPECT_DOUBLE_EQ(graphs->IterationSeconds(Decodes(5)), plain->IterationSeconds(attention(5, 8)));
  EXPECT_DOUBLE_EQ(graphs->IterationSeconds(Decodes(8)), plain->IterationSeconds(Decodes(8)));
  EXPECT_DOUBLE_EQ(graphs->IterationSeconds(Decodes(17)), plain->IterationSeconds(Decodes(17)));
}

TEST(IterationModelTest, AMeasuredAllReduceReplacesThePricers) {
  // Two all-reduces a layer and one of the embedding, each of 4 rows of 4096 16-bit numbers.
  const CollectiveTable table{{16384, 65536}, {7, 13}};
  const auto model = Model({.all_reduce = table}, "llama2-7b", {.tensor = 2});
  const double reduces = 65 * (7 + 6.0 * (32768 - 16384) / (65536 - 16384));
  EXPECT_NEAR(model->IterationSeconds(Decodes(4)), kDense + kOutput + 1 + kAttention + reduces,
              1e-9);
  for (const OperatorSource& source : model->Sources()) {
    const bool reduce = source.name.find("all_reduce") != std::string::npos;
    EXPECT_EQ(source.source, reduce ? "calibration" : "unit") << source.name;
  }
}

TEST(CollectiveTableTest, IsLinearBetweenAndBeyondItsPoints) {
  const CollectiveTable table{{100, 200, 400}, {1, 3, 4}};
  EXPECT_DOUBLE_EQ(table.Seconds(100), 1);
  EXPECT_DOUBLE_EQ(table.Seconds(150), 2);
  EXPECT_DOUBLE_EQ(table.Seconds(300), 3.5);
  EXPECT_DOUBLE_EQ(table.Seconds(600), 5);
  EXPECT_DOUBLE_EQ(table.Seconds(75), 0.5);
  EXPECT_DOUBLE_EQ(table.Seconds(1), 0);  // not less than nothing
  EXPECT_DOUBLE_EQ((CollectiveTable{{100}, {2}}).Seconds(7), 2);
}

// Experts see the rows of all ranks in lock-step, the rest its own.
TEST(IterationModelTest, ExpertsSeeTheRowsOfAllRanks) {
  const auto model =
      MakeRooflineModel(ReadModelPreset("qwen3-30b-a3b"), ReadHardwarePreset("rtx-pro-6000"),
                        {.expert = 2, .data = 2}, 64);
  IterationShape alone = Decodes(4);
  IterationShape together = alone;
  together.gathered_tokens = 40;
  EXPECT_GT(model->IterationSeconds(together), model->IterationSeconds(alone));
  alone.gathered_tokens = 4;
  EXPECT_DOUBLE_EQ(model->IterationSeconds(alone), model->IterationSeconds(Decodes(4)));
}

// Qwen3-30B-A3B with two ranks that gather each other's rows: 48 layers of four dense operators and
// five of the experts; embedding and final norm; LM head and sampler.
TEST(IterationModelTest, GathersTakeHalfOfAMeasuredAllReduce) {
  const CollectiveTable table{{1000, 2000}, {1, 2}};  // a second for 1,000 bytes
  const auto model = Model({.all_reduce = table}, "qwen3-30b-a3b", {.expert = 2, .data = 2});
  // Of 40 rows of 2048 16-bit numbers; one before the experts, one behind them.
  const double gather = 40 * 2048 * 2 / 1000.0 / 2;
  IterationShape shape = Decodes(4);
  shape.gathered_tokens = 40;
  EXPECT_DOUBLE_EQ(model->IterationSeconds(shape), 48 * (4 + 5 + 2 * gather + 10) + 2 + 2);
}

// A batch may have nothing to compute; measured figures have no place for no rows.
TEST(IterationModelTest, WithoutRowsNothingIsPriced) {
  class StrictPricer final : public OperatorPricer {
   public:
    double Seconds(const Operator& op) const override {
      EXPECT_GE(op.rows, 1) << op.name;
      EXPECT_GE(op.matrices, 1) << op.name;
      return 1;
    }
    AttentionSeconds Attention(const IterationShape& /*shape*/, int32_t /*parts*/) const override {
      return {};
    }
    std::string Source(const std::string& /*name*/) const override { return ""; }
  };
  for (const int32_t stages : {1, 2}) {
    const auto model = MakeIterationModel({.model = ReadModelPreset("mixtral-8x7b"),
                                           .parallelism = {.pipeline = stages},
                                           .pricer = std::make_unique<StrictPricer>(),
                                           .calibration = {},
                                           .expected_max_tokens = 64});
    EXPECT_EQ(model->IterationSeconds({}), 0);
  }
}

}  // namespace
}  // namespace tokensim
