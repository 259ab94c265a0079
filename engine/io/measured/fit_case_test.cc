#include "engine/io/measured/fit_case.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/analysis/replay.h"
#include "engine/io/measured/truth_reader.h"
#include "engine/io/plan/prepare.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim::accuracy {
namespace {

using ::testing::HasSubstr;

// Many requests: figures of few jump by percents when a constant moves all iterations a little.
constexpr char kSpec[] = R"(
model: llama2-7b
workers: [{hardware: a100-80g}]
workload:
  num_requests: 2000
  arrival: {poisson: {rate_per_second: 6}}
  lengths:
    independent:
      input: {lognormal: {median: 300, sigma: 0.9, max: 3000}}
      output: {uniform: {min: 20, max: 200}}
)";

std::vector<const FitConstant*> Constants(std::initializer_list<const char*> names) {
  std::vector<const FitConstant*> constants;
  for (const char* name : names) constants.push_back(FindConstant(name));
  EXPECT_THAT(constants, ::testing::Each(::testing::NotNull()));
  return constants;
}

v1::Spec Resolved(v1::Spec spec) {
  PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
  EXPECT_TRUE(prepared.ok());
  return std::move(prepared.resolved);
}

// A run as it would be measured, had the host these constants.
FitCase CaseWith(const std::vector<const FitConstant*>& constants,
                 const std::vector<double>& values, uint64_t seed) {
  v1::Spec spec;
  EXPECT_TRUE(ParseYaml(kSpec, "spec", &spec).empty());
  spec.set_seed(static_cast<int64_t>(seed));
  v1::Spec host = Resolved(spec);
  for (size_t i = 0; i < constants.size(); ++i) SetConstant(*constants[i], values[i], &host);
  const PreparedSpec prepared = PrepareSpec(host, TracePolicy::NoPaths());
  EXPECT_TRUE(prepared.ok());
  std::vector<RequestRecord> records = RunReplay(prepared.plan)->records;
  std::sort(records.begin(), records.end(), [](const RequestRecord& a, const RequestRecord& b) {
    return a.request_id < b.request_id;
  });
  MeasuredRun run;
  run.name = "simulated";
  run.has_first_token = run.has_last_token = true;
  const SimTime start = records[0].arrival;
  for (const RequestRecord& r : records) {
    run.requests.push_back({.arrival = r.arrival - start,
                            .queued = r.queued - start,
                            .scheduled = r.scheduled - start,
                            .first_token = r.first_token - start,
                            .last_token = r.finish - start,
                            .input_tokens = r.input_tokens,
                            .output_tokens = r.output_tokens});
  }
  *spec.mutable_workload() = ToWorkload(run);
  return MakeFitCase("simulated", Resolved(spec), run, constants);
}

TEST(FitToRuns, RecoversTheConstantsOfASimulatedHost) {
  const auto constants = Constants({"iteration_seconds", "prefill_dense_factor"});
  const FitCase fit_case = CaseWith(constants, {1.5e-3, 1.2}, 1);
  const auto fit = FitToRuns({&fit_case, 1}, constants);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(fit->start, (std::vector<double>{0, 1}));
  EXPECT_NEAR(fit->values[0], 1.5e-3, 0.15e-3);
  EXPECT_NEAR(fit->values[1], 1.2, 0.02);
  EXPECT_GT(fit->rms_before, 0.1);
  EXPECT_LT(fit->rms_after, 0.01);
  EXPECT_LT(fit->evaluations, 200);
}

TEST(FitToRuns, SeveralConstantsFromSeveralRuns) {
  const auto constants = Constants({"sequence_seconds", "dense_factor", "request_seconds"});
  const std::vector<FitCase> cases = {CaseWith(constants, {30e-6, 0.9, 8e-3}, 1),
                                      CaseWith(constants, {30e-6, 0.9, 8e-3}, 2)};
  const auto fit = FitToRuns(cases, constants);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_NEAR(fit->values[0], 30e-6, 6e-6);
  EXPECT_NEAR(fit->values[1], 0.9, 0.03);
  EXPECT_NEAR(fit->values[2], 8e-3, 1e-3);
  ASSERT_EQ(fit->after.size(), 2u);
  EXPECT_LT(fit->rms_after, 0.01);
}

TEST(FitToRuns, IsDeterministic) {
  const auto constants = Constants({"iteration_seconds"});
  const FitCase fit_case = CaseWith(constants, {1e-3}, 3);
  EXPECT_EQ(FitToRuns({&fit_case, 1}, constants)->values,
            FitToRuns({&fit_case, 1}, constants)->values);
}

TEST(FitToRuns, StagesInWhichClientsGaveUpAreNothingToFitTo) {
  const auto constants = Constants({"iteration_seconds"});
  FitCase fit_case = CaseWith(constants, {1e-3}, 3);
  MeasuredStages stages;
  stages.stages.push_back({.rate = 1, .duration_seconds = 10, .failed = 1, .e2e = {.mean = 9}});
  fit_case.truth = stages;
  const auto fit = FitToRuns({&fit_case, 1}, constants);
  EXPECT_THAT(std::string(fit.status().message()), HasSubstr("nothing to fit to"));
}

TEST(FitToRuns, OfTheFirstStageOnlyTheMeanTtftHasTheStartOfTheServer) {
  const auto constants = Constants({"iteration_seconds"});
  FitCase fit_case = CaseWith(constants, {1e-3}, 3);
  MeasuredStages stages;
  stages.stages.push_back({.rate = 1, .duration_seconds = 10, .ttft = {.mean = 9}});
  fit_case.truth = stages;
  EXPECT_THAT(std::string(FitToRuns({&fit_case, 1}, constants).status().message()),
              HasSubstr("nothing to fit to"));
  stages.stages[0].ttft.p50 = 9;
  fit_case.truth = stages;
  EXPECT_GT(FitToRuns({&fit_case, 1}, constants)->rms_before, 0.5);
}

TEST(FitToRuns, ASpecThatCannotRunIsAnError) {
  const auto constants = Constants({"iteration_seconds"});
  FitCase fit_case = CaseWith(constants, {1e-3}, 3);
  v1::Spec spec;
  spec.add_workers()->set_count(-1);
  fit_case = MakeFitCase("broken", spec, fit_case.truth, constants);
  const auto fit = FitToRuns({&fit_case, 1}, constants);
  EXPECT_THAT(std::string(fit.status().message()), ::testing::StartsWith("broken: "));
}

TEST(FitConstants, AreFieldsOfTheCalibrationWithNeutralValuesInRange) {
  v1::Spec spec;
  spec.add_workers();
  for (const FitConstant& constant : FitConstants()) {
    EXPECT_GE(constant.neutral, constant.min) << constant.name;
    EXPECT_LT(constant.neutral + constant.width, constant.max) << constant.name;
    EXPECT_EQ(GetConstant(constant, spec), constant.neutral) << constant.name;
    SetConstant(constant, constant.max, &spec);
    EXPECT_EQ(GetConstant(constant, spec), constant.max) << constant.name;
    EXPECT_EQ(FindConstant(constant.name), &constant);
  }
  EXPECT_EQ(FindConstant("nothing"), nullptr);
}

TEST(FitConstants, StartFromTheOverheadsOfTheHardware) {
  v1::Spec spec;
  spec.add_workers()->mutable_hardware()->set_iteration_overhead_seconds(0.25);
  EXPECT_EQ(GetConstant(*FindConstant("iteration_seconds"), spec), 0.25);
  spec.mutable_workers(0)->mutable_calibration()->set_iteration_seconds(0);
  EXPECT_EQ(GetConstant(*FindConstant("iteration_seconds"), spec), 0);
}

}  // namespace
}  // namespace tokensim::accuracy
