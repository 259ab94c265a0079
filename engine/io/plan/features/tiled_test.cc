// What PrepareSpec says about hardware.tiled and the compute model that needs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/plan/test_specs.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// GoodSpec on the tiled A100, with the changes.
std::vector<std::string> OnTiles(const Changes& changes) {
  const v1::Spec spec = Changed(
      GoodSpec(), {{"workers[0].hardware", "a100-80g-tiled"}, {"workers[0].compute.tiled", "{}"}});
  return Texts(PrepareSpec(Changed(spec, changes), TracePolicy::NoPaths()));
}

TEST(PrepareTiledTest, PresetsWithTiles) {
  EXPECT_THAT(OnTiles({}), IsEmpty());
  EXPECT_THAT(OnTiles({{"workers[0].hardware", "tpu-v4"}}), IsEmpty());
  EXPECT_THAT(OnTiles({{"workers[0].hardware", "gddr6-aim"}}), IsEmpty());
}

TEST(PrepareTiledTest, NeedsTiles) {
  EXPECT_THAT(FindingsOf({{"workers[0].compute.tiled", "{}"}}),
              ElementsAre("ERROR workers[0].hardware.tiled: is missing: `compute: {tiled: {}}` "
                          "needs the hardware's arrays and buffers; presets that have them: "
                          "a100-80g-tiled, gddr6-aim, tpu-v4"));
}

TEST(PrepareTiledTest, EveryFigureIsRequired) {
  const auto findings = FindingsOf(
      {{"workers[0].compute.tiled", "{}"}, {"workers[0].hardware.tiled", "{near_memory: true}"}});
  EXPECT_THAT(findings, SizeIs(10));
  EXPECT_THAT(findings[0], HasSubstr("ERROR workers[0].hardware.tiled.cores: is missing"));
}

TEST(PrepareTiledTest, Ranges) {
  EXPECT_THAT(OnTiles({{"workers[0].hardware.tiled.cores", "0"}}),
              ElementsAre("ERROR workers[0].hardware.tiled.cores: is 0; allowed are 1 .. "
                          "1,000,000"));
  EXPECT_THAT(OnTiles({{"workers[0].hardware.tiled.frequency_hertz", "-1"}}),
              ElementsAre(HasSubstr("ERROR workers[0].hardware.tiled.frequency_hertz: is -1; ")));
  EXPECT_THAT(OnTiles({{"workers[0].hardware.tiled.systolic_rows", "513"}}),
              ElementsAre("ERROR workers[0].hardware.tiled.systolic_rows: is 513; allowed are 1 .. "
                          "512"));
}

TEST(PrepareTiledTest, BuffersHoldWhatAnArrayWorksOn) {
  EXPECT_THAT(OnTiles({{"workers[0].hardware.tiled.register_file_bytes", "1023"}}),
              ElementsAre("ERROR workers[0].hardware.tiled.register_file_bytes: is 1023; the "
                          "accumulators of an array (systolic_rows x systolic_columns x 4 bytes) "
                          "are 1,024"));
  EXPECT_THAT(OnTiles({{"workers[0].hardware.tiled.local_buffer_bytes", "127"}}),
              ElementsAre("ERROR workers[0].hardware.tiled.local_buffer_bytes: is 127; two of what "
                          "enters an array at once need 128"));
}

TEST(PrepareTiledTest, ArraysMakeThePeak) {
  const Changes twice = {{"workers[0].hardware.tiled.cores", "216"}};
  EXPECT_THAT(
      OnTiles(twice),
      ElementsAre("ERROR workers[0].hardware.tiled: its arrays make 623.7 TFLOPS (2 x cores "
                  "x lanes x systolic_rows x systolic_columns x frequency_hertz), "
                  "peak_flops is 312 TFLOPS; they may differ by 10 %"));
  EXPECT_THAT(OnTiles({twice[0], {"workers[0].hardware.peak_flops", "624TFLOPS"}}), IsEmpty());
}

TEST(PrepareTiledTest, AppliesToItsComputeModelOnly) {
  const auto prepare = [](const std::string& hardware) {
    return PrepareChanged({{"workers[0].hardware", hardware}});
  };
  const PreparedSpec preset = prepare("a100-80g-tiled");
  EXPECT_THAT(Texts(preset), IsEmpty()) << "what a preset has besides is nobody's mistake";
  EXPECT_FALSE(preset.resolved.workers(0).hardware().has_tiled());
  const std::string own =
      "tiled: {cores: 0, lanes: 4, systolic_rows: 16, systolic_columns: 16, vector_width: 32, "
      "frequency_hertz: 1e9, local_buffer_bytes: 192KiB, register_file_bytes: 64KiB, "
      "global_buffer_bytes: 40MiB, global_buffer_bytes_per_second: 5TB/s}";
  EXPECT_THAT(Texts(prepare("{preset: a100-80g, " + own + "}")),
              ElementsAre("ERROR workers[0].hardware.tiled.cores: is 0; allowed are 1 .. 1,000,000",
                          "WARNING workers[0].hardware.tiled: is not used: it needs `compute: "
                          "{tiled: {}}`"));
}

TEST(PrepareTiledTest, TilesPriceTheIterations) {
  const auto seconds = [](const char* compute) {
    const PreparedSpec prepared = PrepareSpec(
        Changed(GoodSpec(), {{"workers[0].hardware", "a100-80g-tiled"}, {compute, "{}"}}),
        TracePolicy::NoPaths());
    EXPECT_TRUE(prepared.ok());
    return prepared.plan->workers[0].compute->IterationSeconds(
        {.decode_count = 150, .decode_context = 15'000, .sampled_count = 150});
  };
  EXPECT_GT(seconds("workers[0].compute.tiled"), seconds("workers[0].compute.roofline"));
}

}  // namespace
}  // namespace tokensim
