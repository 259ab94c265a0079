// What PrepareSpec makes of hardware: peaks by type, prices, watts, surfaces.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/compute/compute_model.h"
#include "engine/io/plan/test_specs.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Priced by the figures of the hardware alone.
WorkerPlan WorkerOn(const std::string& hardware, Changes changes = {}) {
  changes.emplace_back("workers[0].hardware", hardware);
  changes.emplace_back("workers[0].compute.roofline", "{}");
  const PreparedSpec prepared = PrepareChanged(changes);
  EXPECT_THAT(Texts(prepared), IsEmpty());
  return prepared.ok() ? prepared.plan->workers.at(0) : WorkerPlan();
}

// Of a prompt of 4,096 tokens: arithmetic counts, not the bytes of weights.
double PromptSeconds(const std::string& hardware, const std::string& dtype) {
  const WorkerPlan worker = WorkerOn(hardware, {{"model.weight_dtype", dtype}});
  const PrefillChunk chunk{.new_tokens = 4096, .history = 0};
  return worker.compute->IterationSeconds(
      {.sampled_count = 1, .prefill_tokens = 4096, .prefill = {&chunk, 1}});
}

TEST(PrepareHardwareTest, ThePriceIsThatOfTheSeller) {
  const v1::HourlyPrices& prices = FindHardwarePreset("h100")->prices();
  EXPECT_EQ(WorkerOn("h100").dollars_per_hour, prices.neocloud());
  EXPECT_EQ(WorkerOn("{preset: h100, seller: rental}").dollars_per_hour, prices.rental());
  EXPECT_EQ(WorkerOn("{preset: h100, seller: hyperscaler}").dollars_per_hour, prices.hyperscaler());
  EXPECT_EQ(WorkerOn("{preset: h100, price: 2.25}").dollars_per_hour, 2.25);
  EXPECT_EQ(WorkerOn("{preset: h100, prices: {neocloud: 3}}").dollars_per_hour, 3);
  EXPECT_EQ(WorkerOn("a100-80g").dollars_per_hour, 0);
}

TEST(PrepareHardwareTest, AnotherSellersPriceIsNotTaken) {
  EXPECT_EQ(WorkerOn("{preset: a30, prices: {rental: 0.4}}").dollars_per_hour, 0);
  EXPECT_THAT(FindingsOf({{"workers[0].hardware", "{preset: a100-80g, seller: rental}"}}),
              ElementsAre("ERROR workers[0].hardware.seller: has no price of this hardware; give "
                          "`price` or another seller"));
  EXPECT_THAT(FindingsOf({{"workers[0].hardware.seller", "9"}}),
              ElementsAre("ERROR workers[0].hardware.seller: is not a seller; allowed are "
                          "hyperscaler, neocloud, rental"));
}

TEST(PrepareHardwareTest, ASellerBesideAPriceIsNotUsed) {
  EXPECT_THAT(FindingsOf({{"workers[0].hardware", "{preset: h100, price: 2, seller: rental}"}}),
              ElementsAre("WARNING workers[0].hardware.seller: is not used: there is a price"));
}

TEST(PrepareHardwareTest, AResolvedSpecHasOnePriceAndKeepsItsDigest) {
  const PreparedSpec prepared =
      PrepareChanged({{"workers[0].hardware", "{preset: h100, seller: rental}"}});
  ASSERT_TRUE(prepared.ok());
  const v1::Hardware& hardware = prepared.resolved.workers(0).hardware();
  EXPECT_FALSE(hardware.has_prices());
  EXPECT_FALSE(hardware.has_seller());
  EXPECT_EQ(hardware.price(), 1.3);
  EXPECT_EQ(PrepareSpec(prepared.resolved, TracePolicy::NoPaths()).digest, prepared.digest);
}

TEST(PrepareHardwareTest, EveryDeviceOfAWorkerIsPaidFor) {
  const WorkerPlan worker =
      WorkerOn("h100", {{"workers[0].parallelism", "{tensor: 2, pipeline: 4}"}});
  EXPECT_EQ(worker.devices, 8);
  EXPECT_EQ(worker.watts, 700);
  EXPECT_EQ(WorkerOn("v100").watts, 0);
  // Each rank is a worker of its own.
  const PreparedSpec ranks = PrepareChanged(
      {{"model", "mixtral-8x7b"},
       {"workers[0]", "{hardware: h200, parallelism: {tensor: 2, data: 2, expert: 4}}"}});
  ASSERT_TRUE(ranks.ok());
  ASSERT_EQ(ranks.plan->workers.size(), 2u);
  EXPECT_EQ(ranks.plan->workers[1].devices, 2);
}

TEST(PrepareHardwareTest, FiguresHaveRanges) {
  EXPECT_THAT(
      FindingsOf({{"workers[0].hardware.peak_fp8_flops", "0"},
                  {"workers[0].hardware.peak_int8_flops", "-1"},
                  {"workers[0].hardware.peak_fp4_flops", "0"},
                  {"workers[0].hardware.driver_memory_bytes", "0"},
                  {"workers[0].hardware.scale_up_devices", "0"},
                  {"workers[0].hardware.scale_out_bandwidth_bytes_per_second", "0"},
                  {"workers[0].hardware.watts", "0"},
                  {"workers[0].hardware.prices", "{neocloud: 0, rental: -1}"}}),
      ElementsAre(HasSubstr("hardware.peak_fp8_flops: is 0"),
                  HasSubstr("hardware.peak_int8_flops: is -1"),
                  HasSubstr("hardware.peak_fp4_flops: is 0"),
                  HasSubstr("hardware.driver_memory_bytes: is 0"),
                  HasSubstr("hardware.scale_up_devices: is 0"),
                  HasSubstr("hardware.scale_out_bandwidth_bytes_per_second: is 0"),
                  HasSubstr("hardware.watts: is 0"), HasSubstr("hardware.prices.neocloud: is 0"),
                  HasSubstr("hardware.prices.rental: is -1")));
}

TEST(PrepareHardwareTest, WeightsAreMultipliedAtThePeakOfTheirType) {
  const double bf16 = PromptSeconds("b200", "bf16");
  const double fp8 = PromptSeconds("b200", "fp8");
  EXPECT_LT(fp8, 0.7 * bf16);
  EXPECT_NEAR(PromptSeconds("b200", "fp8_block"), fp8, 0.01 * fp8);
  EXPECT_LT(PromptSeconds("b200", "nvfp4"), 0.8 * fp8);
  EXPECT_NEAR(PromptSeconds("b200", "mxfp4"), bf16, 0.05 * bf16);
  EXPECT_GT(PromptSeconds("b300", "int8"), bf16) << "it has few units for int8";
}

TEST(PrepareHardwareTest, WithoutUnitsForATypeThereAreOnlyFewerBytes) {
  const double bf16 = PromptSeconds("a100-80g", "bf16");
  EXPECT_LT(PromptSeconds("a100-80g", "int8"), 0.7 * bf16);
  for (const char* dtype : {"fp8", "fp8_block", "nvfp4", "mxfp4", "int4", "int4_g128"}) {
    EXPECT_NEAR(PromptSeconds("a100-80g", dtype), bf16, 0.05 * bf16) << dtype;
  }
}

TEST(PrepareHardwareTest, SurfacesComeWithTheComputeModelThatUsesThem) {
  const auto surfaces = [](const Changes& changes) {
    const PreparedSpec prepared = PrepareChanged(changes);
    EXPECT_TRUE(prepared.ok());
    return prepared.resolved.workers(0).hardware().kernels_size();
  };
  EXPECT_EQ(surfaces({{"workers[0].hardware", "h100"}, {"workers[0].compute.roofline", "{}"}}), 0);
  EXPECT_EQ(surfaces({{"workers[0].hardware", "h100"}, {"workers[0].compute.kernels", "{}"}}),
            FindKernelPreset("h100")->kernels_size());
  const std::string own =
      "{preset: h100, kernels: [{kernel: all_reduce, axes: [{name: devices, values: [2]}, "
      "{name: bytes, values: [1]}], efficiency: [0.5]}]}";
  EXPECT_EQ(surfaces({{"workers[0].hardware", own}, {"workers[0].compute.kernels", "{}"}}), 1);
  EXPECT_THAT(FindingsOf({{"workers[0].hardware", "l4"}, {"workers[0].compute.kernels", "{}"}}),
              ElementsAre(HasSubstr("workers[0].hardware.kernels: is missing")));
}

TEST(PrepareHardwareTest, MeasuredKernelsPriceAGroupThatNamesNoComputeModel) {
  const auto backend = [](const Changes& changes) {
    const PreparedSpec prepared = PrepareChanged(changes);
    EXPECT_TRUE(prepared.ok());
    return prepared.resolved.workers(0).compute().backend_case();
  };
  EXPECT_EQ(backend({{"workers[0].hardware", "h100"}}), v1::Compute::kKernels);
  EXPECT_EQ(backend({{"workers[0].hardware", "{preset: h100, peak_flops: 500e12}"}}),
            v1::Compute::kKernels);
  EXPECT_EQ(backend({{"workers[0].hardware", "l4"}}), v1::Compute::kRoofline);
  EXPECT_EQ(backend({{"workers[0].hardware", "h100"}, {"workers[0].compute.roofline", "{}"}}),
            v1::Compute::kRoofline);
  const std::string own =
      "{preset: l4, kernels: [{kernel: all_reduce, axes: [{name: devices, values: [2]}, "
      "{name: bytes, values: [1]}], efficiency: [0.5]}]}";
  EXPECT_EQ(backend({{"workers[0].hardware", own}}), v1::Compute::kKernels);
}

TEST(PrepareHardwareTest, MoreDevicesThanTheLinkJoinsAreAWarning) {
  const std::string model = "{preset: llama2-70b, num_attention_heads: 64, num_kv_heads: 16}";
  EXPECT_THAT(FindingsOf({{"model", model},
                          {"workers[0].hardware", "h100"},
                          {"workers[0].parallelism.tensor", "16"}}),
              ElementsAre("WARNING workers[0].parallelism.tensor: is 16; the interconnect joins 8 "
                          "devices. Beyond them it is slower: set hardware.interconnect"));
  EXPECT_THAT(FindingsOf({{"model", model},
                          {"workers[0].hardware", "gb200"},
                          {"workers[0].parallelism.tensor", "16"}}),
              IsEmpty());
}

}  // namespace
}  // namespace tokensim
