#include "engine/compute/iteration_model.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

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

TEST(IterationModelTest, TheHostAddsOrOverlaps) {
  CalibrationConfig calibration{.iteration_seconds = 100, .sequence_seconds = 50};
  const double gpu = kDense + kOutput + kAttention;
  EXPECT_DOUBLE_EQ(Model(calibration)->IterationSeconds(Decodes(4)), gpu + 300);
  calibration.overlaps_host = true;
  EXPECT_DOUBLE_EQ(Model(calibration)->IterationSeconds(Decodes(4)), gpu);
  EXPECT_DOUBLE_EQ(Model(calibration)->IterationSeconds(Decodes(40)), 2100);
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
