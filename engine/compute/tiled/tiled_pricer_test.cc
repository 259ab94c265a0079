#include "engine/compute/tiled/tiled_pricer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "engine/compute/operators.h"
#include "engine/compute/tiled/gemm_mapper.h"
#include "engine/io/plan/test_presets.h"

namespace tokensim {
namespace {

std::unique_ptr<const ComputeModel> Model(const std::string& model, const std::string& hardware,
                                          const ParallelismConfig& split, int32_t tokens) {
  return MakeTiledModel(ReadModelPreset(model), ReadHardwarePreset(hardware),
                        ReadTiledPreset(hardware), split, tokens);
}

IterationShape Decodes(int32_t count, int64_t context) {
  return {.decode_count = count, .decode_context = count * context, .sampled_count = count};
}

IterationShape Prompt(const PrefillChunk& chunk) {
  return {.sampled_count = 1, .prefill_tokens = chunk.new_tokens, .prefill = {&chunk, 1}};
}

TEST(TiledPricerTest, TableAndSearchAreBitEqual) {
  const auto table = Model("mixtral-8x7b", "a100-80g-tiled", {.tensor = 4}, 600);
  const auto search = Model("mixtral-8x7b", "a100-80g-tiled", {.tensor = 4}, 1);
  for (int32_t n = 1; n < 600; n += 7) {
    EXPECT_EQ(table->IterationSeconds(Decodes(n, 300)), search->IterationSeconds(Decodes(n, 300)));
  }
}

TEST(TiledPricerTest, GemmsAreTheirFastestMapping) {
  const TransformerConfig model = ReadModelPreset("llama2-7b");
  const DeviceConfig device = ReadHardwarePreset("a100-80g-tiled");
  const TiledDeviceConfig tiles = ReadTiledPreset("a100-80g-tiled");
  const auto pricer = MakeTiledPricer(model, device, tiles, {});
  const GemmMapper mapper(TiledMachine(tiles, device), 2, 1);
  for (const Operator& op : TransformerOperators(model, {}).List(Decodes(48, 100))) {
    if (op.kind != OperatorKind::kGemm) continue;
    EXPECT_DOUBLE_EQ(pricer->Seconds(op),
                     4e-6 + mapper.Map({op.rows, op.inner, op.outer, op.matrices}).seconds);
  }
}

TEST(TiledPricerTest, VectorOperatorsByHand) {
  const TransformerConfig model = ReadModelPreset("llama2-7b");
  DeviceConfig device = ReadHardwarePreset("a100-80g-tiled");
  const TiledDeviceConfig tiles = ReadTiledPreset("a100-80g-tiled");
  const auto norm = [&](double rows) {
    return Operator{.name = "input_norm",
                    .kind = OperatorKind::kMemory,
                    .bytes = rows * 4096 * 8,
                    .rows = rows};
  };
  const auto pricer = MakeTiledPricer(model, device, tiles, {});
  // A row stays in one core, which has a port of 7,219 / 108 GB/s; all of them fill the memory.
  EXPECT_NEAR(pricer->Seconds(norm(1)), 4e-6 + 4096 * 8 / (7219e9 / 108), 1e-12);
  EXPECT_NEAR(pricer->Seconds(norm(1)), pricer->Seconds(norm(20)), 1e-12);
  EXPECT_NEAR(pricer->Seconds(norm(10800)), 4e-6 + 10800 * 4096.0 * 8 / (2039e9 * 0.72), 1e-9);
  // SiLU on one vector lane: 16 operations for 6 bytes.
  TiledDeviceConfig narrow = tiles;
  narrow.vector_width = 1;
  narrow.lanes = 1;
  const Operator activation{
      .name = "activation", .kind = OperatorKind::kMemory, .bytes = 108 * 6e6, .rows = 1000};
  EXPECT_NEAR(MakeTiledPricer(model, device, narrow, {})->Seconds(activation),
              4e-6 + 16e6 / (1.41e9 * 0.88), 1e-9);
}

TEST(TiledPricerTest, IterationsAreNotFasterThanPeakOrMemory) {
  for (const HardwarePreset& hardware : ReadHardwarePresets()) {
    if (hardware.tiled.cores == 0) continue;
    const TransformerConfig model = ReadModelPreset("llama3.1-8b");
    const auto compute = Model("llama3.1-8b", hardware.file, {}, 256);
    const DeviceConfig& d = hardware.config;
    const PrefillChunk chunk{.new_tokens = 2000, .history = 500};
    for (const IterationShape& shape : {Decodes(1, 10), Decodes(200, 2000), Prompt(chunk)}) {
      double flops = 0;
      double bytes = 0;
      for (const Operator& op : TransformerOperators(model, {}).List(shape)) {
        flops += op.repeats * op.flops;
        bytes += op.repeats * op.bytes;
      }
      const double seconds = compute->IterationSeconds(shape);
      EXPECT_GE(seconds, flops / d.peak_flops) << hardware.file;
      EXPECT_GE(seconds, bytes / d.memory_bandwidth_bytes_per_second) << hardware.file;
    }
  }
}

TEST(TiledPricerTest, ProcessingInMemoryIsForSmallBatches) {
  // 15 GB of weights at 32 TB/s inside the banks: a token in less than a millisecond of memory
  // time, while an A100 needs ten. But nothing keeps the weights for a second row.
  const auto aim = Model("llama3.1-8b", "gddr6-aim", {}, 256);
  const auto a100 = Model("llama3.1-8b", "a100-80g-tiled", {}, 256);
  EXPECT_LT(aim->IterationSeconds(Decodes(1, 500)), 0.5 * a100->IterationSeconds(Decodes(1, 500)));
  EXPECT_GT(aim->IterationSeconds(Decodes(200, 500)), a100->IterationSeconds(Decodes(200, 500)));
}

TEST(TiledPricerTest, CollectivesAreThoseOfTheInterconnect) {
  const TransformerConfig model = ReadModelPreset("llama2-7b");
  const auto pricer = MakeTiledPricer(model, ReadHardwarePreset("a100-80g-tiled"),
                                      ReadTiledPreset("a100-80g-tiled"), {.tensor = 4});
  const Operator op{.name = "mlp_all_reduce", .kind = OperatorKind::kAllReduce, .bytes = 1e6};
  EXPECT_NEAR(pricer->Seconds(op), 4e-6 + 2 * 0.75 * 1e6 / 300e9 + 6 * 1e-6, 1e-12);
  EXPECT_EQ(pricer->Source("mlp_all_reduce"), "interconnect");
  EXPECT_EQ(pricer->Source("qkv_proj"), "tiled");
  EXPECT_EQ(pricer->Source("prefill_attention"), "tiled");
}

}  // namespace
}  // namespace tokensim
