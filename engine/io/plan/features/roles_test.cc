// What PrepareSpec says about roles, nodes and breakpoints, and what they compile to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/plan/test_specs.h"
#include "engine/run/plan.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPrefillGroup[] = "{name: p, hardware: a100-80g, role: prefill}";
constexpr char kDecodeGroup[] = "{name: d, hardware: a100-80g, role: decode, count: 3}";

const Changes kDisaggregated = {{"workers[0]", kPrefillGroup}, {"workers[1]", kDecodeGroup}};

std::vector<WorkerPlan> Workers(const Changes& changes) {
  const PreparedSpec prepared = PrepareChanged(changes);
  EXPECT_THAT(Texts(prepared), IsEmpty());
  return prepared.plan == nullptr ? std::vector<WorkerPlan>(10) : prepared.plan->workers;
}

Changes Breakpoints(const std::string& breakpoints) {
  return {{"workers[0].breakpoints", breakpoints}};
}

TEST(PrepareRolesTest, Compile) {
  EXPECT_EQ(Workers({})[0].role, Role::kBoth);
  const std::vector<WorkerPlan> workers = Workers(kDisaggregated);
  ASSERT_EQ(workers.size(), 4U);
  EXPECT_EQ(workers[0].role, Role::kPrefill);
  EXPECT_EQ(workers[1].role, Role::kDecode);
  EXPECT_EQ(workers[0].kv_bytes_per_token, 512 << 10);
  EXPECT_EQ(workers[0].num_layers, 32);
}

TEST(PrepareRolesTest, SomebodyMustPrefillAndDecode) {
  EXPECT_THAT(FindingsOf({{"workers[0].role", "prefill"}}),
              ElementsAre("ERROR workers: cannot decode: no worker with role decode or both serves "
                          "from the start"));
  EXPECT_THAT(FindingsOf({{"workers[0].role", "decode"}}),
              ElementsAre(HasSubstr("ERROR workers: cannot prefill: "),
                          "WARNING workers[0].role: is decode, but no group has role prefill: no "
                          "request comes here"));
  EXPECT_THAT(FindingsOf({{"workers[0].initial_count", "0"}}),
              ElementsAre(HasSubstr("cannot prefill"), HasSubstr("cannot decode")));
  EXPECT_THAT(FindingsOf({{"workers[0].role", "6"}}),
              ElementsAre("ERROR workers[0].role: is not a role; allowed are both, prefill, "
                          "decode"));
}

TEST(PrepareRolesTest, DecodeWorkersNeedSomebodyWhoHandsOn) {
  const Changes both = {{"workers[1]", kDecodeGroup}};
  EXPECT_THAT(FindingsOf(both), ElementsAre(HasSubstr("WARNING workers[1].role: is decode")));
  EXPECT_THAT(FindingsOf({both[0], {"global_scheduler.migrate_on_pressure", "true"}}), IsEmpty());
}

TEST(PrepareRolesTest, KvCachesMoveBetweenEqualModels) {
  EXPECT_THAT(FindingsOf({{"workers[0]", kPrefillGroup},
                          {"workers[1]", "{hardware: a100-80g, role: decode, model: llama2-13b}"}}),
              ElementsAre("ERROR workers[1].model: differs from that of workers[0], but prefill "
                          "workers hand their KV caches on"));
  // Quantized weights do not change the KV cache.
  EXPECT_THAT(FindingsOf({{"workers[0]", kPrefillGroup},
                          {"workers[1]",
                           "{hardware: a100-80g, compute: {roofline: {}}, role: decode, "
                           "model: {preset: llama2-7b, weight_dtype: fp8}}"}}),
              IsEmpty());
  // Without transfers groups may differ.
  EXPECT_THAT(FindingsOf({{"workers[1]", "{hardware: a100-80g, model: llama2-13b}"}}), IsEmpty());
}

TEST(PrepareRolesTest, NodesFillUp) {
  const std::vector<WorkerPlan> workers =
      Workers({{"workers[0]", "{hardware: a100-80g, count: 5, workers_per_node: 2, node: 7}"},
               {"workers[1]", "{hardware: a100-80g, count: 2}"}});
  std::vector<int32_t> nodes;
  for (const WorkerPlan& worker : workers) nodes.push_back(worker.node);
  EXPECT_THAT(nodes, ElementsAre(7, 7, 8, 8, 9, 1, 1));
}

TEST(PrepareRolesTest, NodeRanges) {
  EXPECT_THAT(FindingsOf({{"workers[0].node", "-1"}, {"workers[0].workers_per_node", "0"}}),
              ElementsAre("ERROR workers[0].node: is -1; allowed are 0 .. 99,999",
                          "ERROR workers[0].workers_per_node: is 0; allowed are 1 .. 100,000"));
  EXPECT_THAT(
      FindingsOf(
          {{"workers[0]", "{hardware: a100-80g, count: 3, workers_per_node: 1, node: 99998}"}}),
      ElementsAre("ERROR workers[0].workers_per_node: is 1: the last worker would be on node "
                  "100,000; the last one allowed is 99,999"));
}

TEST(PrepareRolesTest, SomeWorkersWait) {
  const std::vector<WorkerPlan> workers =
      Workers({{"workers[0].count", "3"}, {"workers[0].initial_count", "2"}});
  EXPECT_TRUE(workers[0].serving && workers[1].serving);
  EXPECT_FALSE(workers[2].serving);
  EXPECT_THAT(FindingsOf({{"workers[0].initial_count", "2"}}),
              ElementsAre("ERROR workers[0].initial_count: is 2; allowed are 0 .. 1"));
}

TEST(PrepareRolesTest, WrittenDefaultsAreNoChange) {
  EXPECT_EQ(PrepareChanged({{"workers[0].role", "both"},
                            {"workers[0].node", "0"},
                            {"workers[0].initial_count", "1"}})
                .digest,
            PrepareChanged({}).digest);
}

// The two lines of the paper's Figure 2 (on_first_fin: put_kv, on_st: get_kv) are the roles.
TEST(PrepareBreakpointsTest, TwoOfThemDisaggregate) {
  const PreparedSpec roles = PrepareChanged(kDisaggregated);
  const PreparedSpec breakpoints = PrepareChanged(
      {{"workers[0]",
        "{name: p, hardware: a100-80g, breakpoints: [{after: prefill, action: put_kv}]}"},
       {"workers[1]",
        "{name: d, hardware: a100-80g, count: 3, breakpoints: [{after: dispatch, action: "
        "get_kv}]}"}});
  EXPECT_THAT(Texts(breakpoints), IsEmpty());
  EXPECT_EQ(breakpoints.digest, roles.digest);
  EXPECT_EQ(breakpoints.plan->workers[0].role, Role::kPrefill);
  EXPECT_EQ(breakpoints.plan->workers[1].role, Role::kDecode);
  EXPECT_THAT(breakpoints.plan->workers[0].breakpoints, IsEmpty());
  EXPECT_FALSE(breakpoints.plan->workers[0].drops_cache);
}

TEST(PrepareBreakpointsTest, SubmitAloneLeavesTheCacheBehind) {
  const auto prefill = [](const std::string& breakpoints) {
    return Workers({{"workers[0]", "{hardware: a100-80g, breakpoints: " + breakpoints + "}"},
                    {"workers[1]", kDecodeGroup}})[0];
  };
  EXPECT_EQ(prefill("[{after: prefill, action: submit}]").role, Role::kPrefill);
  EXPECT_TRUE(prefill("[{after: prefill, action: submit}]").drops_cache);
  EXPECT_FALSE(
      prefill("[{after: prefill, action: submit}, {after: prefill, action: put_kv}]").drops_cache);
}

TEST(PrepareBreakpointsTest, UnknownOperatorsAreNamedAsGiven) {
  const std::vector<std::string> findings =
      FindingsOf({{"workers[0]",
                   "{hardware: a100-80g, breakpoints: [{after: prefill, action: put_kv}, "
                   "{after: qkv, action: log}]}"},
                  {"workers[1]", kDecodeGroup}});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings[0], testing::HasSubstr("workers[0].breakpoints[1].after: "));
}

TEST(PrepareRolesTest, MigrationNeedsBatchesFormedInTime) {
  EXPECT_THAT(FindingsOf({{"global_scheduler.migrate_on_pressure", "true"},
                          {"local_scheduler.async_scheduling_depth", "2"}}),
              ElementsAre("ERROR local_scheduler.async_scheduling_depth: must be 1 with "
                          "global_scheduler.migrate_on_pressure: a request whose token is under "
                          "way cannot leave"));
}

TEST(PrepareBreakpointsTest, Log) {
  const WorkerPlan worker = Workers(Breakpoints(
      "[{after: iteration, action: log}, {after: qkv_proj, action: log, layers: [0, 31]}]"))[0];
  ASSERT_EQ(worker.breakpoints.size(), 2U);
  EXPECT_EQ(worker.breakpoints[0].after, "iteration");
  EXPECT_EQ(worker.breakpoints[1].after, "qkv_proj");
  EXPECT_EQ(worker.breakpoints[1].action, BreakpointAction::kLog);
  EXPECT_THAT(worker.breakpoints[1].layers, ElementsAre(0, 31));
  EXPECT_EQ(worker.role, Role::kBoth);
}

TEST(PrepareBreakpointsTest, LayersLeaveAfterAnOperator) {
  const Changes changes = {
      {"workers[0]",
       "{hardware: a100-80g, breakpoints: [{after: decode_attention, action: put_kv}]}"},
      {"workers[1]", kDecodeGroup}};
  EXPECT_EQ(PrepareChanged(changes).plan->network.mode, TransferMode::kLayerwise);
  const WorkerPlan worker = Workers(changes)[0];
  EXPECT_EQ(worker.role, Role::kPrefill);
  ASSERT_EQ(worker.breakpoints.size(), 1U);
  EXPECT_EQ(worker.breakpoints[0].action, BreakpointAction::kPutKv);
  Changes sequential = changes;
  sequential.push_back({"network.kv_transfer.mode", "sequential"});
  EXPECT_THAT(FindingsOf(sequential),
              ElementsAre("ERROR workers[0].breakpoints[0].action: is put_kv after an operator, "
                          "which sends the KV cache layer by layer, but network.kv_transfer.mode "
                          "is not layerwise"));
  const auto with = [&](const std::string& breakpoints) {
    Changes more = changes;
    more.push_back({"workers[0].breakpoints", breakpoints});
    return FindingsOf(more);
  };
  EXPECT_THAT(
      with("[{after: out_proj, action: put_kv, layers: [1]}]"),
      ElementsAre("ERROR workers[0].breakpoints[0].layers: are not allowed with put_kv: the "
                  "KV cache of every layer is sent"));
  EXPECT_THAT(with("[{after: out_proj, action: put_kv}, {after: qkv_proj, action: put_kv}]"),
              ElementsAre("ERROR workers[0].breakpoints: send a KV cache after more than one "
                          "operator; allowed is one"));
  EXPECT_THAT(with("[{after: lm_head, action: put_kv}]"),
              ElementsAre("ERROR workers[0].breakpoints[0].after: is lm_head, which is not part of "
                          "a layer"));
}

TEST(PrepareBreakpointsTest, PlacesOfActions) {
  EXPECT_THAT(FindingsOf(Breakpoints("[{action: log}, {after: prefill}, {after: prefill, action: "
                                     "stop}]")),
              ElementsAre("ERROR workers[0].breakpoints[0].after: is missing: allowed are "
                          "dispatch, prefill, iteration and the operators of the model",
                          "ERROR workers[0].breakpoints[1].action: is missing; allowed are log, "
                          "submit, put_kv, get_kv",
                          "ERROR workers[0].breakpoints[2].action: is 'stop'; allowed are log, "
                          "submit, put_kv, get_kv"));
  EXPECT_THAT(
      FindingsOf(Breakpoints("[{after: dispatch, action: log}]")),
      ElementsAre("ERROR workers[0].breakpoints[0].after: is 'dispatch'; with log allowed is "
                  "iteration, or an operator"));
  EXPECT_THAT(
      FindingsOf(Breakpoints("[{after: iteration, action: put_kv}, {after: out_proj, action: "
                             "submit}, {after: prefill, action: get_kv}]")),
      ElementsAre(
          "ERROR workers[0].breakpoints[0].after: is 'iteration'; with put_kv allowed is prefill, "
          "or an operator",
          "ERROR workers[0].breakpoints[1].after: is 'out_proj'; with submit allowed is prefill",
          "ERROR workers[0].breakpoints[2].after: is 'prefill'; with get_kv allowed is dispatch"));
}

TEST(PrepareBreakpointsTest, MustAgreeWithTheRole) {
  EXPECT_THAT(FindingsOf({{"workers[0].role", "decode"},
                          {"workers[0].breakpoints", "[{after: prefill, action: put_kv}]"}}),
              ElementsAre("ERROR workers[0].role: is decode, but breakpoints make it prefill"));
  EXPECT_THAT(FindingsOf(Breakpoints("[{after: prefill, action: put_kv}, {after: dispatch, action: "
                                     "get_kv}]")),
              ElementsAre("ERROR workers[0].role: is prefill, but breakpoints make it decode"));
}

TEST(PrepareBreakpointsTest, Operators) {
  EXPECT_THAT(FindingsOf(Breakpoints("[{after: qkv_gemm, action: log}]")),
              ElementsAre(HasSubstr("ERROR workers[0].breakpoints[0].after: unknown place "
                                    "'qkv_gemm'; ")));
  EXPECT_THAT(FindingsOf(Breakpoints("[{after: out_proj, action: log, layers: [3, 32]}]")),
              ElementsAre("ERROR workers[0].breakpoints[0].layers[1]: is 32; allowed are 0 .. 31"));
  EXPECT_THAT(FindingsOf(Breakpoints("[{after: lm_head, action: log, layers: [3]}]")),
              ElementsAre("ERROR workers[0].breakpoints[0].after: is lm_head, which is not part of "
                          "a layer"));
  EXPECT_THAT(FindingsOf(Breakpoints("[{after: iteration, action: log, layers: [3]}]")),
              ElementsAre("ERROR workers[0].breakpoints[0].layers: are not allowed: iteration is "
                          "no operator of a layer"));
  EXPECT_THAT(FindingsOf({{"workers[0].compute.affine.iteration_seconds", "5ms"},
                          {"workers[0].breakpoints", "[{after: out_proj, action: log}]"}}),
              ElementsAre("ERROR workers[0].breakpoints[0].after: unknown place 'out_proj'; known "
                          "are dispatch, prefill, iteration"));
}

TEST(PrepareBreakpointsTest, AtMostSixteen) {
  v1::Spec spec = GoodSpec();
  for (int i = 0; i < 17; ++i) {
    v1::Breakpoint* breakpoint = spec.mutable_workers(0)->add_breakpoints();
    breakpoint->set_after("iteration");
    breakpoint->set_action("log");
  }
  EXPECT_THAT(Texts(PrepareSpec(spec, TracePolicy::NoPaths())),
              ElementsAre("ERROR workers[0].breakpoints: has 17 entries; at most 16 are allowed"));
}

}  // namespace
}  // namespace tokensim
