#include "clients/cli/spec_input.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace tokensim::cli {
namespace {

v1::Finding MakeFinding(const std::string& field) {
  v1::Finding finding;
  finding.set_field(field);
  finding.set_message("too small");
  return finding;
}

TEST(FindingText, PointsToTheNearestLine) {
  SpecInput input;
  input.file = "spec.yaml";
  input.lines = {
      {"workers", 3}, {"workers[1]", 7}, {"workers[1].hardware", 8}, {"workers[10]", 90}};
  EXPECT_EQ(FindingText(input, MakeFinding("workers[1].hardware.memory_bytes")),
            "spec.yaml:8: workers[1].hardware.memory_bytes: too small");
  EXPECT_EQ(FindingText(input, MakeFinding("workers[1].count")),
            "spec.yaml:7: workers[1].count: too small");
  EXPECT_EQ(FindingText(input, MakeFinding("workers[2]")), "spec.yaml:3: workers[2]: too small");
  EXPECT_EQ(FindingText(input, MakeFinding("model")), "spec.yaml: model: too small");
  EXPECT_EQ(FindingText(input, MakeFinding("")), "spec.yaml: too small");
}

TEST(FindingText, NamesSetWhenTheFieldCameFromThere) {
  SpecInput input;
  input.file = "spec.yaml";
  input.lines = {{"workers[0].count", 4}};
  input.set_paths = {"workers[0].count"};
  EXPECT_EQ(FindingText(input, MakeFinding("workers[0].count")),
            "--set: workers[0].count: too small");
}

// Writes the spec, reads it and gives what was told of it.
std::string Told(const std::string& yaml, const std::vector<std::string>& sets, SpecInput* input,
                 ExitCode* code) {
  // Tests run beside each other, each in a process of its own.
  const std::string file =
      ::testing::TempDir() + "/spec_input_test." + std::to_string(getpid()) + ".yaml";
  std::ofstream(file) << yaml;
  SpecOptions options;
  options.file = file;
  options.sets = sets;
  ::testing::internal::CaptureStderr();
  *code = LoadSpec(options, /*quiet=*/false, input);
  std::string text = ::testing::internal::GetCapturedStderr();
  for (size_t at = 0; (at = text.find(file)) != std::string::npos;) {
    text.replace(at, file.size(), "spec.yaml");
  }
  return text;
}

constexpr char kGoodSpec[] = R"(model: llama2-7b
workers: [{name: gpu, hardware: a100-80g}]
workload:
  num_requests: 100
  arrival: {poisson: {rate_per_second: 1}}
  lengths: sharegpt
)";

// What cannot be read, what --set gets wrong, and what is read but not allowed, in one go.
TEST(LoadSpec, TellsMistakesOfEveryKindAtOnce) {
  SpecInput input;
  ExitCode code = ExitCode::kOk;
  EXPECT_EQ(Told(R"(modle: llama2-7b
workers:
  - {hardware: a100-80, count: 0}
workload:
  num_requests: 10
  arrival: {poisson: {rate_per_second: 8 parsecs}}
  lengths: {independent: {input: {fixed: 0}, output: {fixd: 100}}}
seed: -1
)",
                 {"slo.ttft_seconds=soon", "output.timeline_points=1"}, &input, &code),
            R"(spec.yaml:1: unknown field 'modle'; did you mean model?
spec.yaml:6: workload.arrival.poisson.rate_per_second: takes a number without a unit, got 'parsecs'
spec.yaml:7: workload.lengths.independent.output: unknown field 'fixd'; did you mean fixed?
tokensim: --set slo.ttft_seconds=soon: slo.ttft_seconds: expected a number, as 800ns or 15s; got 'soon'
spec.yaml:3: workers[0].count: is 0; allowed are 1 .. 100,000
spec.yaml:3: workers[0].hardware.preset: unknown hardware preset 'a100-80'; did you mean a100-80g or a100-40g or a100-80g-tiled?
spec.yaml:7: workload.lengths.independent.input.fixed: is 0; allowed are 1 .. 1,000,000,000
--set: output.timeline_points: is 1; allowed are 2 .. 4,096
spec.yaml:8: seed: is -1; allowed are 0 .. 9,223,372,036,854,775,807
)");
  EXPECT_EQ(code, ExitCode::kUsage);
  EXPECT_FALSE(input.prepared.ok());
  EXPECT_EQ(input.prepared.findings.size(), 9U);
}

TEST(LoadSpec, OfATextThatIsNoYamlNothingElseIsSaid) {
  SpecInput input;
  ExitCode code = ExitCode::kOk;
  EXPECT_EQ(Told("model: [a\nworkers: {", {}, &input, &code).substr(0, 10), "spec.yaml:");
  EXPECT_EQ(input.prepared.findings.size(), 1U);
  EXPECT_EQ(code, ExitCode::kSpecInvalid);
}

TEST(LoadSpec, RelativeNumbersAreOfPresetsAndDefaultsToo) {
  SpecInput input;
  ExitCode code = ExitCode::kOk;
  EXPECT_EQ(Told(kGoodSpec,
                 {"workers.gpu.hardware.memory_bandwidth_bytes_per_second=x2",
                  "workers.gpu.local_scheduler.max_num_seqs=/8",
                  "workload.arrival.poisson.rate_per_second=x0.5", "workers.gpu.count=x3"},
                 &input, &code),
            "");
  EXPECT_EQ(code, ExitCode::kOk);
  const v1::WorkerGroup& gpu = input.prepared.resolved.workers(0);
  EXPECT_EQ(gpu.hardware().memory_bandwidth_bytes_per_second(), 2 * 2039e9);
  EXPECT_EQ(gpu.local_scheduler().max_num_seqs(), 32);
  EXPECT_EQ(gpu.count(), 3);
  EXPECT_EQ(input.prepared.resolved.workload().arrival().poisson().rate_per_second(), 0.5);
  EXPECT_EQ(input.set_paths[3], "workers[0].count");
}

TEST(FindingText, MarksWarnings) {
  SpecInput input;
  input.file = "spec.yaml";
  v1::Finding finding = MakeFinding("seed");
  finding.set_severity(v1::Finding::WARNING);
  EXPECT_EQ(FindingText(input, finding), "spec.yaml: seed: warning: too small");
}

}  // namespace
}  // namespace tokensim::cli
