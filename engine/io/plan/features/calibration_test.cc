// Calibrations and measured profiles in specs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/compute/compute_model.h"
#include "engine/io/plan/test_specs.h"

namespace tokensim {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const IterationShape kDecode{.decode_count = 4, .decode_context = 400, .sampled_count = 4};

double Seconds(const PreparedSpec& prepared) {
  return prepared.plan->workers[0].compute->IterationSeconds(kDecode);
}

// Files below a directory of their own.
class PrepareFilesTest : public ::testing::Test {
 protected:
  PrepareFilesTest() : dir_(fs::path(::testing::TempDir()) / ("spec" + std::to_string(getpid()))) {
    fs::create_directories(dir_ / "bundle");
    Write("bundle/dense.csv",
          "layer,tokens,time_us\nqkv_proj,1,100\nqkv_proj,2048,4000\no_proj,1,50\no_proj,64,60\n");
    Write("bundle/attention.csv",
          "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n"
          "0,0,1,100,20\n0,0,64,100,65\n16,0,0,0,30\n2048,0,0,0,300\n");
  }
  ~PrepareFilesTest() override { fs::remove_all(dir_); }
  void Write(const std::string& file, const std::string& text) const {
    std::ofstream(dir_ / file) << text;
  }
  [[nodiscard]] PreparedSpec Prepare(const Changes& changes) const {
    return PrepareSpec(Changed(GoodSpec(), changes), TracePolicy::AnyPath(dir_.string()));
  }

  fs::path dir_;
};

TEST(PrepareCalibrationTest, IsTheSpecsUnlessTheGroupHasItsOwn) {
  const double plain = Seconds(PrepareChanged({}));
  const PreparedSpec all = PrepareChanged({{"calibration", "{iteration_seconds: 2ms}"}});
  EXPECT_NEAR(Seconds(all), plain + 2e-3, 1e-12);
  EXPECT_EQ(all.resolved.calibration().ShortDebugString(), "request_seconds: 0 response_seconds: 0")
      << "of the spec's own only the front end stays";
  const PreparedSpec own = PrepareChanged({{"calibration", "{iteration_seconds: 2ms}"},
                                           {"workers[0].calibration", "{sequence_seconds: 1ms}"}});
  EXPECT_NEAR(Seconds(own), plain + 4e-3, 1e-12);
  // What is resolved stays as it is.
  EXPECT_EQ(PrepareSpec(all.resolved, TracePolicy::NoPaths()).digest, all.digest);
}

TEST(PrepareCalibrationTest, TheFrontEndIsTheSpecs) {
  const PreparedSpec prepared = PrepareChanged(
      {{"calibration", "{request_seconds: 3ms, response_seconds: 4ms, warm_up_seconds: 50ms}"}});
  ASSERT_TRUE(prepared.ok());
  EXPECT_EQ(prepared.plan->request_delay, FromSeconds(3e-3));
  EXPECT_EQ(prepared.plan->response_delay, FromSeconds(4e-3));
  EXPECT_EQ(prepared.plan->workers[0].warm_up_seconds, 50e-3);
  EXPECT_EQ(PrepareSpec(prepared.resolved, TracePolicy::NoPaths()).digest, prepared.digest);
  EXPECT_THAT(
      FindingsOf({{"workers[0].calibration", "{request_seconds: 3ms}"}}),
      ElementsAre("ERROR workers[0].calibration.request_seconds: is of the front end, which "
                  "all workers share: give it in the spec's own calibration"));
}

TEST(PrepareCalibrationTest, ReplacesTheOverheadsOfTheHardware) {
  const Changes hardware = {{"workers[0].hardware.iteration_overhead_seconds", "5ms"}};
  const double plain = Seconds(PrepareChanged({}));
  EXPECT_NEAR(Seconds(PrepareChanged(hardware)), plain + 5e-3, 1e-12);
  Changes both = hardware;
  both.emplace_back("calibration.iteration_seconds", "1ms");
  EXPECT_NEAR(Seconds(PrepareChanged(both)), plain + 1e-3, 1e-12);
}

TEST(PrepareCalibrationTest, Ranges) {
  const auto findings = [](const std::string& calibration) {
    return FindingsOf({{"calibration", calibration}});
  };
  EXPECT_THAT(findings("{dense_factor: 3}"),
              ElementsAre("ERROR calibration.dense_factor: is 3; allowed are 0.5 .. 2"));
  EXPECT_THAT(findings("{iteration_seconds: -1}"),
              ElementsAre(HasSubstr("ERROR calibration.iteration_seconds: ")));
  EXPECT_THAT(findings("{capture_sizes: [1, 8, 8]}"),
              ElementsAre(HasSubstr("ERROR calibration.capture_sizes[2]: is 8; allowed are 9 ..")));
  EXPECT_THAT(findings("{all_reduce: {message_bytes: [1000, 100], seconds: [1e-6, 2e-6]}}"),
              ElementsAre("ERROR calibration.all_reduce.message_bytes[1]: is 100; it must be above "
                          "1000"));
  EXPECT_THAT(findings("{all_reduce: {message_bytes: [1000], seconds: []}}"),
              ElementsAre("ERROR calibration.all_reduce.seconds: has 0 entries, message_bytes 1"));
  EXPECT_THAT(findings("{all_reduce: {latency_seconds: 1us}}"),
              ElementsAre(HasSubstr("calibration.all_reduce.bandwidth_bytes_per_second")));
  EXPECT_THAT(findings("no-such-host"), ElementsAre(HasSubstr("no-such-host")));
}

TEST(PrepareCalibrationTest, SustainedClocksOnlySlow) {
  EXPECT_THAT(FindingsOf({{"calibration", "{compute_factor: 0.9}"}}),
              ElementsAre("ERROR calibration.compute_factor: is 0.9; allowed are 1 .. 2"));
  EXPECT_THAT(FindingsOf({{"calibration", "{attention_launch_seconds: -1us}"}}),
              ElementsAre(HasSubstr("ERROR calibration.attention_launch_seconds: ")));
}

TEST_F(PrepareFilesTest, NullRemovesWhatAFileGives) {
  Write("host.yaml", "iteration_seconds: 2ms\nlayer_seconds: 10us\n");
  const double plain = Seconds(PrepareChanged({}));
  const PreparedSpec both = Prepare({{"calibration", "{path: host.yaml}"}});
  EXPECT_NEAR(Seconds(both), plain + 2e-3 + 32 * 10e-6, 1e-12);
  const PreparedSpec one = Prepare({{"calibration", "{path: host.yaml, layer_seconds: null}"}});
  ASSERT_TRUE(one.ok());
  EXPECT_NEAR(Seconds(one), plain + 2e-3, 1e-12);
  EXPECT_THAT(one.resolved.workers(0).calibration().unset(), IsEmpty());
  // Through --set as well.
  const PreparedSpec set =
      Prepare({{"calibration", "{path: host.yaml}"}, {"calibration.iteration_seconds", "null"}});
  EXPECT_NEAR(Seconds(set), plain + 32 * 10e-6, 1e-12);
  EXPECT_THAT(Texts(Prepare({{"calibration", "{unset: [layers]}"}})),
              ElementsAre("ERROR calibration.unset[0]: is 'layers', which is no field of a "
                          "calibration"));
}

TEST(PrepareCalibrationTest, AnAllReduceOfItsOwnReplacesASurfaceLoudly) {
  const Changes devices = {{"workers[0].hardware", "h100"},
                           {"workers[0].compute", "{kernels: {}}"},
                           {"workers[0].parallelism", "{tensor: 2}"}};
  EXPECT_THAT(FindingsOf(devices), IsEmpty());
  Changes replaced = devices;
  replaced.emplace_back(
      "calibration", "{all_reduce: {bandwidth_bytes_per_second: 250GB/s, latency_seconds: 10us}}");
  EXPECT_THAT(FindingsOf(replaced),
              ElementsAre(HasSubstr("WARNING calibration.all_reduce: replaces what was measured")));
  replaced.emplace_back("workers[0].parallelism.tensor", "1");  // there is none to replace
  EXPECT_THAT(FindingsOf(replaced), IsEmpty());
}

TEST(PrepareCalibrationTest, WhatHasNoMeasurementIsNamed) {
  const Changes experts = {{"model", "{preset: mixtral-8x7b, weight_dtype: int4}"},
                           {"workers[0].hardware", "h100"},
                           {"workers[0].compute", "{kernels: {}}"}};
  EXPECT_THAT(FindingsOf(experts),
              ElementsAre(AllOf(HasSubstr("WARNING workers[0].compute: has no measurement of "),
                                HasSubstr("expert_gate_up_proj"), HasSubstr("expert_down_proj"))));
}

TEST_F(PrepareFilesTest, TheBundleSaysWhetherItsSkewCounts) {
  Write("bundle/skew.csv", "n,nb,pc,alpha\n4,1,0,0.5\n64,1,0,0.5\n");
  const auto skewed = [&](const std::string& profile) {
    return Prepare({{"workers[0].compute", "{profile: {path: bundle" + profile + "}}"}})
               .resolved.workers(0)
               .compute()
               .profile()
               .tables()
               .skew()
               .alpha_size() > 0;
  };
  EXPECT_TRUE(skewed(""));
  Write("meta.yaml", "skew_fit:\n  enabled: false\n");
  EXPECT_FALSE(skewed(""));
  EXPECT_TRUE(skewed(", skew: true"));
  Write("meta.yaml", "skew_fit:\n  enabled: true\n");
  EXPECT_TRUE(skewed(""));
  EXPECT_FALSE(skewed(", skew: false"));
  Write("meta.yaml", "skew_fit: {enabled: perhaps}\n");
  EXPECT_THAT(Texts(Prepare({{"workers[0].compute", "{profile: {path: bundle}}"}})),
              ElementsAre(HasSubstr("skew_fit.enabled is neither true nor false")));
}

TEST_F(PrepareFilesTest, ACalibrationCanBeAFile) {
  Write("host.yaml", "source: a run\niteration_seconds: 2ms\ncapture_sizes: [1, 2, 4]\n");
  const double plain = Seconds(PrepareChanged({}));
  const PreparedSpec prepared = Prepare({{"calibration", "{path: host.yaml}"}});
  ASSERT_TRUE(prepared.ok());
  EXPECT_NEAR(Seconds(prepared), plain + 2e-3, 1e-12);
  EXPECT_EQ(prepared.resolved.workers(0).calibration().source(), "a run");
  // Fields of the spec go before those of the file.
  const PreparedSpec over = Prepare({{"calibration", "{path: host.yaml, iteration_seconds: 1ms}"}});
  EXPECT_NEAR(Seconds(over), plain + 1e-3, 1e-12);
  Write("host.yaml", "iteration_second: 2ms\n");
  EXPECT_THAT(Texts(Prepare({{"calibration", "{path: host.yaml}"}})),
              ElementsAre(HasSubstr("host.yaml:1: unknown field 'iteration_second'")));
  EXPECT_THAT(Texts(Prepare({{"calibration", "{path: none.yaml}"}})),
              ElementsAre(HasSubstr("ERROR calibration.path: no file ")));
}

TEST_F(PrepareFilesTest, AProfileBecomesTables) {
  const Changes changes = {{"workers[0].compute", "{profile: {path: bundle}}"}};
  const PreparedSpec prepared = Prepare(changes);
  ASSERT_THAT(Texts(prepared),
              ElementsAre("WARNING workers[0].compute: has no measurement of gate_up_proj "
                          "(roofline), down_proj (roofline), lm_head (roofline)"));
  const v1::Profile& profile = prepared.resolved.workers(0).compute().profile();
  EXPECT_TRUE(profile.path().empty());
  EXPECT_EQ(profile.tables().attention().microseconds_size(), 4);
  // Without files the same plan: what a server gets.
  const PreparedSpec again = PrepareSpec(prepared.resolved, TracePolicy::NoPaths());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.digest, prepared.digest);
  EXPECT_EQ(Seconds(again), Seconds(prepared));
  EXPECT_THAT(FindingsOf(changes), ElementsAre(HasSubstr("files are not read here")));
}

TEST_F(PrepareFilesTest, AProfileMayEndTheSpec) {
  EXPECT_THAT(
      Texts(Prepare({{"workers[0].compute", "{profile: {path: bundle, outside_range: refuse}}"},
                     {"workers[0].local_scheduler", "{max_num_batched_tokens: 4096}"}})),
      ::testing::Contains(
          "ERROR workers[0].compute.profile.outside_range: is refuse, and tokens in "
          "an iteration (max_num_batched_tokens) may reach 4,096; the profile ends "
          "at 2,048"));
  EXPECT_THAT(Texts(Prepare({{"workers[0].compute", "{profile: {path: nowhere}}"}})),
              ElementsAre(HasSubstr("ERROR workers[0].compute.profile.path: no directory ")));
  EXPECT_THAT(
      Texts(Prepare({{"workers[0].compute", "{profile: {}}"}})),
      ElementsAre("ERROR workers[0].compute.profile: is empty: give path (a profile bundle) "
                  "or tables"));
  Write("bundle/dense.csv", "layer,tokens,time_us\nqkv_proj,0,100\n");
  EXPECT_THAT(Texts(Prepare({{"workers[0].compute", "{profile: {path: bundle}}"}})),
              ElementsAre("ERROR workers[0].compute.profile.tables: dense: size of row 1 is 0; it "
                          "must be at least 1"));
}

}  // namespace
}  // namespace tokensim
