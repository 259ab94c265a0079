#include "engine/compute/kernels/kernel_pricer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/compute/iteration_model.h"
#include "engine/compute/operators.h"
#include "engine/compute/roofline.h"
#include "engine/io/plan/test_presets.h"

namespace tokensim {
namespace {

using Surfaces = std::vector<EfficiencySurface>;

// One share whatever the sizes.
EfficiencySurface Flat(SurfaceKernel kernel, double share,
                       NumberFormat format = NumberFormat::k16Bit) {
  EfficiencySurface surface{
      .kernel = kernel, .format = format, .efficiency = {share}, .source = "a test"};
  for (const std::string_view axis : AxesOf(kernel)) {
    surface.axes.push_back({std::string(axis), {1}});
  }
  return surface;
}

DeviceConfig Device() {
  return {.peak_flops = 1e12,
          .peak_8bit_flops = 2e12,
          .memory_bandwidth_bytes_per_second = 1e12,
          .compute_efficiency = 0.5,
          .memory_efficiency = 0.5,
          .kernel_launch_seconds = 1e-6,
          .interconnect = {.bandwidth_bytes_per_second = 1e11, .latency_seconds = 1e-6}};
}

Operator Find(const std::vector<Operator>& operators, const std::string& name) {
  for (const Operator& op : operators) {
    if (op.name == name) return op;
  }
  ADD_FAILURE() << "no operator " << name;
  return {};
}

TEST(KernelPricerTest, TimeIsTheRooflineOverTheShare) {
  const TransformerConfig llama = ReadModelPreset("llama3.1-8b");
  const Surfaces surfaces = {
      Flat(SurfaceKernel::kGemm, 0.25), Flat(SurfaceKernel::kPrefillAttention, 0.5),
      Flat(SurfaceKernel::kDecodeAttention, 0.8), Flat(SurfaceKernel::kAllReduce, 0.1)};
  const auto pricer = MakeKernelPricer(llama, Device(), surfaces, {.tensor = 2});
  const TransformerOperators operators(llama, {.tensor = 2});
  std::vector<Operator> list;
  operators.AppendDense(3, list);
  const Operator gemm = Find(list, "qkv_proj");
  EXPECT_DOUBLE_EQ(pricer->Seconds(gemm), std::max(gemm.flops, gemm.bytes) / 1e12 / 0.25);
  EXPECT_DOUBLE_EQ(pricer->Seconds(Find(list, "mlp_all_reduce")), 3 * 4096 * 2 / 1e11 / 0.1);
  // Moves memory: as the roofline has it.
  const Operator norm = Find(list, "input_norm");
  EXPECT_DOUBLE_EQ(pricer->Seconds(norm), norm.bytes / 0.5e12 + 1e-6);

  const PrefillChunk chunks[] = {{.new_tokens = 100, .history = 400}, {.new_tokens = 7}};
  const IterationShape shape{
      .decode_count = 9, .decode_context = 900, .prefill_tokens = 107, .prefill = chunks};
  const Operator decode = operators.DecodeAttention(9, 900);
  const Operator prefill = operators.PrefillAttention(chunks);
  const AttentionSeconds whole = pricer->Attention(shape, 1);
  EXPECT_DOUBLE_EQ(whole.decode, std::max(decode.flops, decode.bytes) / 1e12 / 0.8);
  EXPECT_DOUBLE_EQ(whole.prefill, std::max(prefill.flops, prefill.bytes) / 1e12 / 0.5);
  EXPECT_DOUBLE_EQ(pricer->Attention(shape, 4).decode, whole.decode / 4);
  EXPECT_DOUBLE_EQ(pricer->Attention(shape, 4).prefill, whole.prefill / 4);
  EXPECT_EQ(pricer->Attention({}, 1).sum(), 0);
}

// Each axis is read at the size it is named for: a surface that grows along one axis alone.
TEST(KernelPricerTest, AxesAreTheSizesTheyAreNamedFor) {
  const TransformerConfig llama = ReadModelPreset("llama3.1-8b");  // 32 heads, 8 KV heads, 128
  const ParallelismConfig split{.tensor = 2};                      // 16 and 4 of them
  const TransformerOperators operators(llama, split);
  const PrefillChunk chunks[] = {{.new_tokens = 30, .history = 5},
                                 {.new_tokens = 30, .history = 5}};
  const IterationShape shape{
      .decode_count = 10, .decode_context = 1000, .prefill_tokens = 60, .prefill = chunks};
  const auto share = [&](SurfaceKernel kernel, size_t axis) {
    EfficiencySurface surface = Flat(kernel, 1);
    surface.axes[axis].values = {1, 1e6};
    surface.efficiency = {1e-6, 1};  // the size in millions
    const auto pricer = MakeKernelPricer(llama, Device(), {&surface, 1}, split);
    const AttentionSeconds seconds = pricer->Attention(shape, 1);
    if (kernel == SurfaceKernel::kPrefillAttention) {
      const Operator op = operators.PrefillAttention(chunks);
      return 1e6 * std::max(op.flops, op.bytes) / 1e12 / seconds.prefill;
    }
    if (kernel == SurfaceKernel::kDecodeAttention) {
      const Operator op = operators.DecodeAttention(10, 1000);
      return 1e6 * std::max(op.flops, op.bytes) / 1e12 / seconds.decode;
    }
    std::vector<Operator> list;
    operators.AppendDense(3, list);
    const bool gemm = kernel == SurfaceKernel::kGemm;
    const Operator op = Find(list, gemm ? "qkv_proj" : "mlp_all_reduce");
    const double work = gemm ? std::max(op.flops, op.bytes) / 1e12 : op.bytes / 1e11;
    return 1e6 * work / pricer->Seconds(op);
  };
  const auto expect = [&](SurfaceKernel kernel, std::vector<double> sizes) {
    ASSERT_EQ(sizes.size(), AxesOf(kernel).size());
    for (size_t i = 0; i < sizes.size(); ++i) {
      EXPECT_NEAR(share(kernel, i), sizes[i], 1e-9 * sizes[i]) << AxesOf(kernel)[i];
    }
  };
  expect(SurfaceKernel::kGemm, {3, (16 + 2 * 4) * 128, 4096});
  // 30 * (2 * 5 + 30) = 1200 twice the pairs of each chunk.
  expect(SurfaceKernel::kPrefillAttention, {2 * 16, std::sqrt(1200), 4, 128});
  expect(SurfaceKernel::kDecodeAttention, {10 * 4, 100, 4, 4, 128});
  expect(SurfaceKernel::kAllReduce, {2, 3 * 4096 * 2});
}

// A micro-batch costs what a batch of its size does.
TEST(KernelPricerTest, MicroBatchesAreReadAtTheirOwnSizes) {
  Surfaces surfaces = {Flat(SurfaceKernel::kPrefillAttention, 1),
                       Flat(SurfaceKernel::kDecodeAttention, 1)};
  for (EfficiencySurface& surface : surfaces) {
    surface.axes[0].values = {1, 1e6};
    surface.efficiency = {1e-6, 1};
  }
  const auto pricer = MakeKernelPricer(ReadModelPreset("llama3.1-8b"), Device(), surfaces, {});
  const PrefillChunk chunks[] = {{.new_tokens = 30, .history = 5},
                                 {.new_tokens = 30, .history = 5}};
  const AttentionSeconds halves = pricer->Attention(
      {.decode_count = 10, .decode_context = 1000, .prefill_tokens = 60, .prefill = chunks}, 2);
  const AttentionSeconds half = pricer->Attention(
      {.decode_count = 5, .decode_context = 500, .prefill_tokens = 30, .prefill = {chunks, 1}}, 1);
  EXPECT_NEAR(halves.decode, half.decode, 1e-9 * half.decode);
  EXPECT_NEAR(halves.prefill, half.prefill, 1e-9 * half.prefill);
}

TEST(KernelPricerTest, ExpertsByTheirBlockOrAsOneGemm) {
  const TransformerConfig mixtral = ReadModelPreset("mixtral-8x7b");
  const TransformerOperators operators(mixtral, {});
  std::vector<Operator> list;
  operators.AppendExperts(1000, list);
  const Operator up = Find(list, "expert_gate_up_proj");
  const double work = std::max(up.flops, up.bytes) / 1e12;

  const Surfaces both = {Flat(SurfaceKernel::kGemm, 0.25), Flat(SurfaceKernel::kMoe, 0.125)};
  const auto block = MakeKernelPricer(mixtral, Device(), both, {});
  EXPECT_DOUBLE_EQ(block->Seconds(up), work / 0.125);
  EXPECT_EQ(block->Seconds(Find(list, "expert_activation")), 0);
  EXPECT_EQ(block->Seconds(Find(list, "expert_sum")), 0);
  EXPECT_GT(block->Seconds(Find(list, "router")), 0);

  EfficiencySurface by_outer = Flat(SurfaceKernel::kGemm, 1);
  by_outer.axes[1].values = {1, 1e6};
  by_outer.efficiency = {1e-6, 1};
  const auto gemm = MakeKernelPricer(mixtral, Device(), {&by_outer, 1}, {});
  EXPECT_NEAR(work / gemm->Seconds(up), 1e-6 * 8 * 2 * 14336, 1e-6);  // of all eight experts
  EXPECT_GT(gemm->Seconds(Find(list, "expert_activation")), 0);
}

// Experts in another format than the rest take its surface and its peak.
TEST(KernelPricerTest, EveryPartTakesTheSurfaceOfItsFormat) {
  Model mixtral = ReadModelPreset("mixtral-8x7b");
  mixtral.formats.experts = {.bytes = 0.5625, .number = NumberFormat::kNvfp4};
  DeviceConfig device = Device();
  device.peak_fp4_flops = 8e12;
  const Surfaces surfaces = {Flat(SurfaceKernel::kGemm, 0.25),
                             Flat(SurfaceKernel::kMoe, 0.5, NumberFormat::kNvfp4),
                             Flat(SurfaceKernel::kMoe, 0.125)};
  const auto pricer = MakeKernelPricer(mixtral, device, surfaces, {});
  std::vector<Operator> list;
  const TransformerOperators operators(mixtral, {});
  operators.AppendDense(100'000, list);
  operators.AppendExperts(100'000, list);
  const Operator up = Find(list, "expert_gate_up_proj");
  EXPECT_DOUBLE_EQ(pricer->Seconds(up), std::max(up.flops / 8e12, up.bytes / 1e12) / 0.5);
  const Operator qkv = Find(list, "qkv_proj");
  EXPECT_DOUBLE_EQ(pricer->Seconds(qkv), std::max(qkv.flops, qkv.bytes) / 1e12 / 0.25);
}

TEST(KernelPricerTest, SourcesSayWhatHasNoSurface) {
  const Surfaces surfaces = {Flat(SurfaceKernel::kGemm, 0.25, NumberFormat::kFp8),
                             Flat(SurfaceKernel::kDecodeAttention, 0.8)};
  TransformerConfig model = ReadModelPreset("llama3.1-8b");
  const auto bf16 = MakeKernelPricer(model, Device(), surfaces, {.tensor = 2});
  EXPECT_EQ(bf16->Source("qkv_proj"), "roofline");  // the surface is of 8-bit weights
  EXPECT_EQ(bf16->Source("decode_attention"), "kernel surface: a test");
  EXPECT_EQ(bf16->Source("prefill_attention"), "roofline");
  EXPECT_EQ(bf16->Source("mlp_all_reduce"), "interconnect");
  model.weight_bytes_per_parameter = 1;
  model.weight_format = NumberFormat::kFp8;
  const auto fp8 = MakeKernelPricer(model, Device(), surfaces, {});
  EXPECT_EQ(fp8->Source("lm_head"), "kernel surface: a test");

  // Without any surface: the roofline, to the bit.
  const auto none = MakeKernelPricer(model, Device(), {}, {.tensor = 2});
  const auto roofline = MakeRooflinePricer(model, Device(), {.tensor = 2});
  std::vector<Operator> list;
  TransformerOperators(model, {.tensor = 2}).AppendDense(100, list);
  for (const Operator& op : list) EXPECT_EQ(none->Seconds(op), roofline->Seconds(op)) << op.name;
  const PrefillChunk chunk{.new_tokens = 100, .history = 400};
  const IterationShape shape{.decode_count = 9, .decode_context = 900, .prefill = {&chunk, 1}};
  EXPECT_EQ(none->Attention(shape, 1).sum(), roofline->Attention(shape, 1).sum());
}

// Of the shipped surfaces.

std::vector<HardwarePreset> DevicesWithSurfaces() {
  std::vector<HardwarePreset> devices = ReadHardwarePresets();
  std::erase_if(devices, [](const HardwarePreset& d) { return d.kernels.empty(); });
  return devices;
}

// What an error on shapes that were not fitted may be. Experts in mxfp4 were measured for the two
// sizes of gpt-oss alone, those in fp8 and nvfp4 for a few models: leaving one of these out asks the
// rest for sizes far from theirs.
double MostErrorOf(const EfficiencySurface& surface) {
  if (surface.kernel != SurfaceKernel::kMoe) return 0.12;
  switch (surface.format) {
    case NumberFormat::kMxfp4:
      return 0.41;
    case NumberFormat::kFp8:
      return 0.27;
    case NumberFormat::kNvfp4:
      return 0.19;
    default:
      return 0.15;
  }
}

TEST(ShippedSurfacesTest, AreOfTheMeasuredDevices) {
  std::vector<std::string> files;
  for (const HardwarePreset& device : DevicesWithSurfaces()) {
    files.push_back(device.file);
    for (const EfficiencySurface& surface : device.kernels) {
      SCOPED_TRACE(device.file + " " + std::string(NameOf(surface.kernel)));
      EXPECT_NO_THROW(EfficiencyGrid{surface});
      EXPECT_NE(surface.source.find("AIConfigurator"), std::string::npos);
      EXPECT_GT(surface.error, 0.01);
      EXPECT_LT(surface.error, MostErrorOf(surface));
      const auto names = AxesOf(surface.kernel);
      ASSERT_EQ(surface.axes.size(), names.size());
      for (size_t i = 0; i < names.size(); ++i) EXPECT_EQ(surface.axes[i].name, names[i]);
    }
  }
  EXPECT_EQ(files,
            (std::vector<std::string>{"a100-80g", "b200", "b300", "gb200", "gb300", "h100", "h200",
                                      "l40s", "rtx-pro-6000", "rtx-pro-6000-server"}));
}

// No operator beats the peaks of its device, whatever the sizes.
TEST(ShippedSurfacesTest, NothingIsFasterThanPhysics) {
  for (const HardwarePreset& device : DevicesWithSurfaces()) {
    DeviceConfig peaks = device.config;
    peaks.compute_efficiency = 1;
    peaks.memory_efficiency = 1;
    peaks.kernel_launch_seconds = 0;
    peaks.interconnect.latency_seconds = 0;
    for (const char* name : {"llama2-7b", "llama2-70b", "opt-13b", "qwen3-32b"}) {
      SCOPED_TRACE(device.file + " " + name);
      const TransformerConfig model = ReadModelPreset(name);
      const auto pricer = MakeKernelPricer(model, device.config, device.kernels, {});
      const auto bound = MakeRooflinePricer(model, peaks, {});
      for (const int64_t rows : {1, 7, 64, 500, 4096, 100000}) {
        std::vector<Operator> list;
        TransformerOperators(model, {}).AppendDense(rows, list);
        TransformerOperators(model, {}).AppendOutput(rows, list);
        for (const Operator& op : list) {
          EXPECT_GE(pricer->Seconds(op), bound->Seconds(op) * (1 - 1e-12)) << op.name << rows;
        }
        const PrefillChunk chunk{.new_tokens = static_cast<int32_t>(rows), .history = 1000};
        const IterationShape shape{.decode_count = static_cast<int32_t>(rows),
                                   .decode_context = 300 * rows,
                                   .prefill_tokens = rows,
                                   .prefill = {&chunk, 1}};
        const AttentionSeconds seconds = pricer->Attention(shape, 1);
        const AttentionSeconds least = bound->Attention(shape, 1);
        EXPECT_GE(seconds.decode, least.decode * (1 - 1e-12));
        EXPECT_GE(seconds.prefill, least.prefill * (1 - 1e-12));
      }
    }
  }
}

// Doubling what there is to do never makes it much shorter. Measured kernels do have steps down,
// where a faster one takes over.
TEST(ShippedSurfacesTest, MoreWorkTakesLonger) {
  constexpr double kStep = 0.9;
  for (const HardwarePreset& device : DevicesWithSurfaces()) {
    for (const char* name : {"llama2-7b", "llama3.1-8b", "qwen3-32b"}) {
      SCOPED_TRACE(device.file + " " + name);
      const TransformerConfig model = ReadModelPreset(name);
      IterationModelConfig config{.model = model, .expected_max_tokens = 1};
      config.pricer = MakeKernelPricer(model, device.config, device.kernels, {});
      const auto compute = MakeIterationModel(std::move(config));
      const auto decode = [&](int32_t count, int64_t context) {
        return compute->IterationSeconds(
            {.decode_count = count, .decode_context = count * context, .sampled_count = count});
      };
      const auto prefill = [&](int32_t tokens, int32_t history) {
        const PrefillChunk chunk{.new_tokens = tokens, .history = history};
        return compute->IterationSeconds(
            {.sampled_count = 1, .prefill_tokens = tokens, .prefill = {&chunk, 1}});
      };
      for (int32_t n = 1; n <= 256; n *= 2) {
        for (int64_t context = 16; context <= 16384; context *= 2) {
          EXPECT_GT(decode(2 * n, context), kStep * decode(n, context)) << n << ' ' << context;
          EXPECT_GT(decode(n, 2 * context), kStep * decode(n, context)) << n << ' ' << context;
        }
        EXPECT_GT(prefill(32 * n, 64 * n), prefill(16 * n, 64 * n) * kStep) << n;
        EXPECT_GT(prefill(16 * n, 128 * n), prefill(16 * n, 64 * n) * kStep) << n;
      }
      EXPECT_GT(prefill(8192, 0), 1.9 * prefill(4096, 0));
    }
  }
}

}  // namespace
}  // namespace tokensim
