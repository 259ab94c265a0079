// All findings of a spec at once, and no finding that only follows from another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/plan/test_specs.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Of a text with errors that the reader found.
std::vector<std::string> FindingsOfText(const std::string& yaml, int* read_errors) {
  v1::Spec spec;
  std::vector<std::string> unread;
  const std::vector<YamlError> errors = ParseYaml(yaml, "s.yaml", &spec);
  for (const YamlError& error : errors) {
    unread.insert(unread.end(), error.unread.begin(), error.unread.end());
  }
  *read_errors = static_cast<int>(errors.size());
  const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths(), unread);
  EXPECT_EQ(prepared.ok(), errors.empty() && prepared.findings.empty());
  return Texts(prepared);
}

TEST(FindingsTest, LaterStagesCheckWhatDoesNotDependOnAnError) {
  // The second group does not fit and the first has a mistake; so have workload and faults.
  EXPECT_THAT(
      FindingsOf({{"workers[0].local_scheduler.max_num_seqs", "-1"},
                  {"workers[1]", "{name: small, hardware: a100-80g, model: llama2-70b}"},
                  {"workers[2]",
                   "{name: odd, hardware: a100-80g, memory: {host_memory_bytes: 1}, "
                   "breakpoints: [{after: nothing, action: log}]}"},
                  {"faults.events", "[{at_seconds: 1, group: small, worker: 5, action: fail}]"},
                  {"workload.num_requests", "0"}}),
      ElementsAre(HasSubstr("workers[0].local_scheduler.max_num_seqs: is -1"),
                  HasSubstr("workers[1].hardware.memory_bytes: the model does not fit"),
                  HasSubstr("workers[2].memory.host_memory_bytes: is 1; one KV block has"),
                  HasSubstr("workload.num_requests: is 0"),
                  HasSubstr("faults.events[0].worker: is 5")));
}

TEST(FindingsTest, WhatGroupsTakeFromTheSpecIsToldOnceAndWhereItStands) {
  const Changes second = {{"workers[1]", "{hardware: a100-80g, memory: {block_size: 0}}"}};
  EXPECT_THAT(FindingsOf({second[0],
                          {"memory", "{block_size: -1, reserved_bytes: -1}"},
                          {"local_scheduler", "{policy: orca, reserve_full_prompt: false}"}}),
              ElementsAre(HasSubstr("ERROR workers[1].memory.block_size: is 0; allowed are"),
                          HasSubstr("WARNING local_scheduler.reserve_full_prompt: does not apply"),
                          HasSubstr("ERROR memory.block_size: is -1; allowed are"),
                          HasSubstr("ERROR memory.reserved_bytes: is -1; allowed are")));
  // Of nobody's making: the group's.
  EXPECT_THAT(FindingsOf({{"local_scheduler.preemption_mode", "swap"}}),
              ElementsAre(HasSubstr("ERROR workers[0].memory.host_memory_bytes: is missing")));
}

TEST(FindingsTest, ABreakpointWithTwoMistakesTellsBoth) {
  EXPECT_THAT(
      FindingsOf(
          {{"workers[0].breakpoints",
            "[{after: nothing, action: log, layers: [1, 32, 99]}, "
            "{after: lm_head, action: log, layers: [40]}, {after: nowhere, action: stop}]"}}),
      ElementsAre(HasSubstr("breakpoints[2].action: is 'stop'; allowed are"),
                  HasSubstr("breakpoints[0].after: unknown place 'nothing'"),
                  HasSubstr("breakpoints[0].layers[1]: is 32; allowed are 0 .. 31"),
                  HasSubstr("breakpoints[0].layers[2]: is 99; allowed are 0 .. 31"),
                  HasSubstr("breakpoints[1].after: is lm_head, which is not part of a layer"),
                  HasSubstr("breakpoints[1].layers[0]: is 40; allowed are 0 .. 31"),
                  HasSubstr("breakpoints[2].after: unknown place 'nowhere'")));
}

TEST(FindingsTest, WhatDoesNotApplyIsChecked) {
  EXPECT_THAT(
      FindingsOf({{"workers[0].parallelism.micro_batches", "0"},
                  {"memory.overlap_swap", "true"},
                  {"network", "{intra_node: nvlink9, kv_transfer: {buffered_groups: 0}}"},
                  {"memory_pool", "{load: 7}"}}),
      ElementsAre(HasSubstr("ERROR workers[0].parallelism.micro_batches: is 0; allowed are"),
                  "WARNING memory.overlap_swap: is not used: it needs host_memory_bytes",
                  HasSubstr("ERROR network.intra_node.name: unknown link preset 'nvlink9'"),
                  HasSubstr("ERROR network.kv_transfer.buffered_groups: is 0; allowed are"),
                  "ERROR memory_pool.load: is not a way to load; allowed are async, blocking",
                  "WARNING memory_pool: is not used: the workload has no conversations"));
}

TEST(FindingsTest, OperatorsAreCheckedBesideOtherErrors) {
  EXPECT_THAT(
      FindingsOf({{"workers[0].breakpoints", "[{after: nothing, action: log}]"}, {"seed", "-1"}}),
      ElementsAre(HasSubstr("workers[0].breakpoints[0].after: unknown place 'nothing'"),
                  HasSubstr("seed: is -1")));
}

TEST(FindingsTest, AnUnknownModelIsOneFinding) {
  EXPECT_THAT(FindingsOf({{"model", "llama2-7"},
                          {"workers[0].parallelism", "{tensor: 3, expert: 3}"},
                          {"workers[1]", "{role: prefill, hardware: a100-80g, model: llama2-7b}"}}),
              ElementsAre(HasSubstr("model.preset: unknown model preset 'llama2-7'")));
}

TEST(FindingsTest, FieldsThatCouldNotBeReadAreNotMissing) {
  int errors = 0;
  EXPECT_THAT(FindingsOfText(R"(
modl: llama2-7b
workers: [{hardware: {peak_flops: much, memory_bytes: 80GiB, memory_bandwidth_bytes_per_second: -1},
           cout: 2}]
workload:
  num_request: 5
  arrival: {poisson: {rate_per_second: fast}}
  lengths: {independent: {input: {fixd: 3}, output: {quantiles: {probabilities: [0, x, 1],
            values: [1, 2]}}}}
)",
                             &errors),
              ElementsAre(HasSubstr("memory_bandwidth_bytes_per_second: is -1")));
  EXPECT_EQ(errors, 7);
}

TEST(FindingsTest, AFieldWithAnUnknownNameMayBeTheOneThatIsMissing) {
  int errors = 0;
  EXPECT_THAT(FindingsOfText(R"(
quux: llama2-7b
workers: [{hardware: a100-80g, count: -1}]
workload: {num_requests: 5, arrival: {poisson: {rate_per_second: 1}}, lengths: sharegpt}
)",
                             &errors),
              ElementsAre(HasSubstr("workers[0].count: is -1")));
  EXPECT_EQ(errors, 1);
}

TEST(FindingsTest, ASectionThatCouldNotBeReadHidesOnlyItself) {
  int errors = 0;
  EXPECT_THAT(FindingsOfText(R"(
model: llama2-70b
workers: [{hardware: a100-80g, compute: 5}, {name: b, hardware: a100-80g}]
workload: [1]
seed: -3
)",
                             &errors),
              ElementsAre(HasSubstr("workers[1].hardware.memory_bytes: the model does not fit"),
                          HasSubstr("seed: is -3")));
  EXPECT_EQ(errors, 2);
}

}  // namespace
}  // namespace tokensim
