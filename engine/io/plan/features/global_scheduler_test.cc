// What PrepareSpec says about the global scheduler.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/plan/test_specs.h"
#include "engine/policy/global/registry.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// With a group that hands requests on.
v1::Spec WithTransfers(const Changes& changes = {}) {
  v1::Spec spec = Changed(GoodSpec(), changes);
  spec.mutable_workers(0)->set_role(v1::ROLE_PREFILL);
  v1::WorkerGroup* decode = spec.add_workers();
  *decode = spec.workers(0);
  decode->set_name("decode");
  decode->set_role(v1::ROLE_DECODE);
  return spec;
}

v1::GlobalScheduler Resolved(const v1::Spec& spec) {
  const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
  EXPECT_THAT(Texts(prepared), IsEmpty());
  return prepared.resolved.global_scheduler();
}

TEST(PrepareGlobalTest, EveryPolicyIsKnown) {
  for (const GlobalSchedulerEntry* entry : GlobalSchedulers().entries()) {
    const std::string name(entry->name);
    const PreparedSpec prepared =
        PrepareSpec(WithTransfers({{"global_scheduler.policy", name},
                                   {"global_scheduler.transfer_policy", name}}),
                    TracePolicy::NoPaths());
    ASSERT_THAT(Texts(prepared), IsEmpty());
    EXPECT_EQ(prepared.plan->global_scheduler->name(), name);
    EXPECT_EQ(prepared.plan->transfer_scheduler->name(), name);
  }
}

TEST(PrepareGlobalTest, UnknownPolicies) {
  const PreparedSpec prepared = PrepareChanged({{"global_scheduler.policy", "prefix_afinity"},
                                                {"global_scheduler.transfer_policy", "leastkv"}});
  EXPECT_THAT(Texts(prepared),
              ElementsAre(HasSubstr("ERROR global_scheduler.transfer_policy: unknown global "
                                    "scheduler 'leastkv'; did you mean least_kv"),
                          "ERROR global_scheduler.policy: unknown global scheduler "
                          "'prefix_afinity'; did you mean prefix_affinity?"));
  EXPECT_EQ(prepared.findings.at(0).reason(), "CATALOG_ENTRY_NOT_FOUND");
}

TEST(PrepareGlobalTest, Defaults) {
  const PreparedSpec prepared = PrepareChanged({{"seed", "5"}});
  const v1::GlobalScheduler& g = prepared.resolved.global_scheduler();
  EXPECT_EQ(g.ShortDebugString(),
            "policy: \"round_robin\" signal_delay_seconds: 0 migrate_on_pressure: false");
  const Plan& plan = *prepared.plan;
  EXPECT_EQ(plan.global_scheduler->name(), "round_robin");
  EXPECT_EQ(plan.seed, 5U);
  EXPECT_EQ(plan.transfer_scheduler->name(), "least_kv");
  EXPECT_FALSE(plan.intra_node_first);
  EXPECT_FALSE(plan.migrate_on_pressure);
  EXPECT_EQ(plan.signal_delay, 0);
}

TEST(PrepareGlobalTest, EveryFieldReachesThePlan) {
  const PreparedSpec prepared = PrepareChanged(
      {{"global_scheduler",
        "{policy: weighted, transfer_policy: session_affinity, intra_node_first: true, "
        "signal_delay_seconds: 250ms, migrate_on_pressure: true, affinity_load_factor: 1.25, "
        "weights: {queue_depth: 2, kv_use: 0, prefix_hit: 3}}"}});
  ASSERT_THAT(Texts(prepared), IsEmpty());
  const Plan& plan = *prepared.plan;
  EXPECT_EQ(plan.global_scheduler->name(), "weighted");
  const ParameterValues& weights = plan.global_scheduler->values();
  EXPECT_EQ(weights.real("weights.queue_depth"), 2);
  EXPECT_EQ(weights.real("weights.kv_use"), 0);
  EXPECT_EQ(weights.real("weights.prefix_hit"), 3);
  EXPECT_EQ(weights.real("weights.load"), 1);
  EXPECT_EQ(plan.transfer_scheduler->name(), "session_affinity");
  EXPECT_EQ(plan.transfer_scheduler->values().real("affinity_load_factor"), 1.25);
  EXPECT_TRUE(plan.intra_node_first);
  EXPECT_TRUE(plan.migrate_on_pressure);
  EXPECT_EQ(plan.signal_delay, 250'000'000);
}

TEST(PrepareGlobalTest, WhatIsUsedIsFilledIn) {
  EXPECT_EQ(Resolved(WithTransfers()).transfer_policy(), "least_kv");
  v1::Spec submits = WithTransfers();
  submits = Changed(submits, {{"workers[0].breakpoints", "[{after: prefill, action: submit}]"}});
  EXPECT_EQ(Resolved(submits).transfer_policy(), "least_kv");
  const v1::GlobalScheduler weighted =
      Resolved(Changed(GoodSpec(), {{"global_scheduler", "weighted"}}));
  EXPECT_EQ(weighted.weights().ShortDebugString(),
            "queue_depth: 1 kv_use: 1 prefix_hit: 1 load: 1");
  const v1::GlobalScheduler affinity =
      Resolved(WithTransfers({{"global_scheduler.transfer_policy", "prefix_affinity"}}));
  EXPECT_EQ(affinity.affinity_load_factor(), 2);
}

TEST(PrepareGlobalTest, WhatHoldsAnywayDoesNotCount) {
  const std::string digest = PrepareChanged({}).digest;
  EXPECT_EQ(PrepareChanged({{"global_scheduler",
                             "{policy: round_robin, transfer_policy: least_kv, "
                             "intra_node_first: false, signal_delay_seconds: 0, "
                             "migrate_on_pressure: false}"}})
                .digest,
            digest);
  EXPECT_NE(PrepareChanged({{"global_scheduler.signal_delay_seconds", "1s"}}).digest, digest);
  EXPECT_NE(PrepareChanged({{"global_scheduler.migrate_on_pressure", "true"}}).digest, digest);
}

TEST(PrepareGlobalTest, TransfersNeedSomebodyWhoHandsOn) {
  const PreparedSpec prepared =
      PrepareChanged({{"global_scheduler", "{transfer_policy: random, intra_node_first: true}"}});
  EXPECT_THAT(Texts(prepared),
              ElementsAre("WARNING global_scheduler.intra_node_first: is not used: no worker hands "
                          "its requests on",
                          "WARNING global_scheduler.transfer_policy: is not used: no worker hands "
                          "its requests on"));
  EXPECT_EQ(prepared.digest, PrepareChanged({}).digest);
  EXPECT_THAT(FindingsOf({{"global_scheduler.transfer_policy", "randon"}}),
              ElementsAre(HasSubstr("transfer_policy: unknown global scheduler 'randon'")));
  const auto digest = [](const Changes& changes) {
    return PrepareSpec(WithTransfers(changes), TracePolicy::NoPaths()).digest;
  };
  EXPECT_NE(digest({{"global_scheduler.intra_node_first", "true"}}), digest({}));
  EXPECT_NE(digest({{"global_scheduler.transfer_policy", "random"}}), digest({}));
}

TEST(PrepareGlobalTest, WhatIsNotUsedIsCheckedAsWell) {
  EXPECT_THAT(
      FindingsOf({{"global_scheduler",
                   "{policy: random, weights: {load: -2}, "
                   "affinity_load_factor: 0.5}"}}),
      ElementsAre(HasSubstr("ERROR global_scheduler.affinity_load_factor: is 0.5; it must be above "
                            "1"),
                  HasSubstr("ERROR global_scheduler.weights.load: is -2; allowed are")));
}

TEST(PrepareGlobalTest, FieldsOfAnotherPolicyAreNotUsed) {
  const PreparedSpec prepared = PrepareChanged(
      {{"global_scheduler", "{policy: random, weights: {load: 2}, affinity_load_factor: 3}"}});
  EXPECT_THAT(
      Texts(prepared),
      ElementsAre("WARNING global_scheduler.affinity_load_factor: does not apply to global "
                  "scheduler random, which takes no parameters",
                  "WARNING global_scheduler.weights.load: does not apply to global scheduler "
                  "random, which takes no parameters"));
  EXPECT_EQ(prepared.digest, PrepareChanged({{"global_scheduler", "random"}}).digest);
}

TEST(PrepareGlobalTest, Ranges) {
  EXPECT_THAT(FindingsOf({{"global_scheduler",
                           "{policy: weighted, signal_delay_seconds: -1s, "
                           "weights: {queue_depth: -1, load: .nan}}"}}),
              ElementsAre("ERROR global_scheduler.signal_delay_seconds: is -1; allowed are 0 .. "
                          "4e+09",
                          HasSubstr("ERROR global_scheduler.weights.queue_depth: is -1; allowed "
                                    "are 0 .. "),
                          HasSubstr("ERROR global_scheduler.weights.load: is .nan; allowed are")));
  EXPECT_THAT(FindingsOf({{"global_scheduler",
                           "{policy: weighted, signal_delay_seconds: 1ns, weights: {queue_depth: "
                           "0, kv_use: 0, prefix_hit: 0, load: 0}}"}}),
              ElementsAre("ERROR global_scheduler.signal_delay_seconds: must be 0 (the present) or "
                          "at least 1us",
                          "ERROR global_scheduler.weights: are all 0; at least one must be above "
                          "0"));
  for (const char* factor : {"1", "0.5"}) {
    EXPECT_THAT(FindingsOf({{"global_scheduler.policy", "prefix_affinity"},
                            {"global_scheduler.affinity_load_factor", factor}}),
                ElementsAre(HasSubstr("ERROR global_scheduler.affinity_load_factor: is " +
                                      std::string(factor) + "; it must be above 1")));
  }
  EXPECT_THAT(FindingsOf({{"global_scheduler.policy", "session_affinity"},
                          {"global_scheduler.affinity_load_factor", ".inf"}}),
              ElementsAre(HasSubstr("ERROR global_scheduler.affinity_load_factor: is .inf")));
}

}  // namespace
}  // namespace tokensim
