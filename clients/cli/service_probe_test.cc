#include "clients/cli/service_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/yaml/yaml.h"

namespace tokensim::cli {
namespace {

using ::testing::HasSubstr;

// A server of one request at a time, 10 ms each: it does 100 in a second.
constexpr char kSpec[] = R"(
model: llama2-7b
workers:
  - {name: gpu, hardware: a100-80g, compute: {affine: {iteration_seconds: 10ms}}}
local_scheduler: {max_num_seqs: 1}
workload:
  num_requests: 50
  arrival: {constant: {rate_per_second: 20}}
  lengths: {independent: {input: {fixed: 10}, output: {fixed: 1}}}
slo: {ttft_seconds: 100ms}
)";

const auto kGoOn = [] { return false; };

void Prepare(SpecInput* input) {
  input->prepared = PrepareSpec(input->spec, TracePolicy::AnyPath("."));
}

SpecInput Input() {
  SpecInput input;
  EXPECT_TRUE(ParseYaml(kSpec, "spec.yaml", &input.spec).empty());
  Prepare(&input);
  EXPECT_TRUE(input.prepared.ok());
  return input;
}

Knob Rate(const SpecInput& input) {
  return {.path = FindLoad(input.prepared.resolved)->path, .is_rate = true};
}

TEST(ServiceProbe, TheRateIsTheLoadOfASpec) {
  const std::optional<LoadField> load = FindLoad(Input().prepared.resolved);
  ASSERT_TRUE(load);
  EXPECT_EQ(load->path, "workload.arrival.constant.rate_per_second");
  EXPECT_EQ(load->value, 20);
  EXPECT_TRUE(load->is_rate);
}

TEST(ServiceProbe, ServesWhatTheServerCanDo) {
  const SpecInput input = Input();
  const Knob knob = Rate(input);
  const Criteria criteria;
  ServiceProbe probe(input, knob, criteria, {}, 1, kGoOn);
  const auto below = probe.Judge(99, 1);
  ASSERT_TRUE(below.ok()) << below.status();
  EXPECT_TRUE(below->serves) << below->broke;
  const auto above = probe.Judge(103, 1);
  ASSERT_TRUE(above.ok()) << above.status();
  EXPECT_FALSE(above->serves);
  EXPECT_THAT(above->broke, HasSubstr("% within the SLO; saturated"));
  ASSERT_NE(probe.ReportAt(103), nullptr);
  EXPECT_THAT(Bottleneck(*probe.ReportAt(103)), HasSubstr("gpu/0 busy 100"));
  EXPECT_EQ(probe.ReportAt(50), nullptr);
}

TEST(ServiceProbe, OverloadBreaksARunWithoutSlo) {
  SpecInput input = Input();
  input.spec.clear_slo();
  Prepare(&input);
  const Knob knob = Rate(input);
  const Criteria criteria;
  ServiceProbe probe(input, knob, criteria, {}, 1, kGoOn);
  EXPECT_TRUE(probe.Judge(99, 1)->serves);
  const auto above = probe.Judge(150, 1);
  EXPECT_FALSE(above->serves);
  EXPECT_EQ(above->broke, "saturated");
}

TEST(ServiceProbe, RunsAreLongEnoughForWhatIsAsked) {
  const SpecInput input = Input();
  const Knob knob = Rate(input);
  Criteria criteria;
  ServiceProbe of_slo(input, knob, criteria, {}, 1, kGoOn);
  EXPECT_EQ(of_slo.LengthOf(20, 1).seconds, 100);           // at least 100 s
  EXPECT_EQ(of_slo.LengthOf(20, 4).seconds, 400);           // as the search asks
  EXPECT_EQ(of_slo.LengthOf(0.5, 1).seconds, 1000);         // 500 requests
  EXPECT_EQ(of_slo.LengthOf(20, 1).warm_up_seconds, 10.0);  // a tenth
  criteria.assertions = {*ParseAssertion("e2e.p99 <= 30s")};
  ServiceProbe of_assertion(input, knob, criteria, {}, 1, kGoOn);
  EXPECT_EQ(of_assertion.LengthOf(20, 1).seconds, 600);  // 20 times the bound
  criteria.duration_seconds = 7;
  criteria.warm_up_seconds = 2;
  ServiceProbe given(input, knob, criteria, {}, 1, kGoOn);
  EXPECT_EQ(given.LengthOf(20, 1).seconds, 7);
  EXPECT_EQ(given.LengthOf(20, 4).warm_up_seconds, 2);
}

TEST(ServiceProbe, ARunThatIsNoLoadKeepsTheSpecsLength) {
  const SpecInput input = Input();
  const Knob knob = {.path = "workers.gpu.count", .whole = true};
  const Criteria criteria;
  ServiceProbe probe(input, knob, criteria, {}, 1, kGoOn);
  EXPECT_FALSE(probe.LengthOf(2, 1).seconds);
  EXPECT_TRUE(probe.Judge(2, 1)->serves);
  EXPECT_EQ(probe.ReportAt(2)->requests().total(), 50);
}

TEST(ServiceProbe, AnAssertionThatIsMissedSaysWhatWasMeasured) {
  const SpecInput input = Input();
  const Knob knob = Rate(input);
  Criteria criteria;
  criteria.assertions = {*ParseAssertion("throughput.requests_per_second >= 30")};
  ServiceProbe probe(input, knob, criteria, {}, 1, kGoOn);
  const auto verdict = probe.Judge(20, 1);
  EXPECT_FALSE(verdict->serves);
  EXPECT_THAT(verdict->broke, HasSubstr(">= 30 (throughput.requests_per_second = 20.0)"));
}

TEST(ServiceProbe, AShareOfTheSeedsIsEnough) {
  // Poisson arrivals at 77 % of what can be done: waiting differs by seed.
  SpecInput input = Input();
  input.spec.mutable_workload()->mutable_arrival()->mutable_poisson()->set_rate_per_second(20);
  Prepare(&input);
  const Knob knob = Rate(input);
  Criteria criteria;
  criteria.seeds = 20;
  int serving = 0;
  for (int seed = 0; seed < criteria.seeds; ++seed) {
    SpecInput one = input;
    one.spec.set_seed(seed);
    Criteria single;
    ServiceProbe probe(one, knob, single, {}, 1, kGoOn);
    serving += probe.Judge(77, 1)->serves ? 1 : 0;
  }
  ASSERT_GT(serving, 0);
  ASSERT_LT(serving, criteria.seeds);
  for (const auto& [least, expected] : {std::pair{serving, true}, std::pair{serving + 1, false}}) {
    criteria.quantile = static_cast<double>(least) / criteria.seeds;
    ServiceProbe probe(input, knob, criteria, {}, 4, kGoOn);
    EXPECT_EQ(probe.Judge(77, 1)->serves, expected) << least;
  }
}

TEST(ServiceProbe, WhatCannotBeRunIsAnError) {
  const SpecInput input = Input();
  const Knob knob = {.path = "workers.gpu.counts"};
  const Criteria criteria;
  ServiceProbe unknown(input, knob, criteria, {}, 1, kGoOn);
  EXPECT_EQ(unknown.Judge(2, 1).status().code(), absl::StatusCode::kInvalidArgument);
  const Knob rate = Rate(input);
  ServiceProbe stopped(input, rate, criteria, {}, 1, [] { return true; });
  EXPECT_EQ(stopped.Judge(2, 1).status().code(), absl::StatusCode::kCancelled);
  ServiceProbe endless(input, rate, criteria, {}, 1, kGoOn);
  EXPECT_EQ(endless.Judge(1e9, 1).status().code(), absl::StatusCode::kOutOfRange);
}

TEST(PointRun, SetsFieldsAndTellsWhatIsWrong) {
  const SpecInput input = Input();
  const std::vector<search::Assignment> good = {{"rate", "x2"}, {"workload.num_requests", "10"}};
  const PointRun run = RunPoint(input, good, kGoOn);
  EXPECT_EQ(run.error, "");
  EXPECT_EQ(run.report.requests().total(), 10);
  EXPECT_NEAR(run.report.requests().total() / run.report.simulated_seconds(), 40, 5);
  const std::vector<search::Assignment> wrong = {{"workers.gpu.count", "-1"}};
  EXPECT_THAT(RunPoint(input, wrong, kGoOn).error, HasSubstr("count"));
  const std::vector<search::Assignment> unknown = {{"workers.cpu.count", "1"}};
  EXPECT_THAT(RunPoint(input, unknown, kGoOn).error, HasSubstr("workers.cpu.count=1"));
  EXPECT_TRUE(RunPoint(input, good, [] { return true; }).stopped);
}

}  // namespace
}  // namespace tokensim::cli
