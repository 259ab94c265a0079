// What PrepareSpec says about local schedulers, and what they compile to.
#include "engine/worker/local_scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/plan/test_specs.h"
#include "engine/run/plan.h"
#include "engine/worker/queue_order.h"
#include "engine/worker/victim.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

LocalSchedulerConfig Compiled(const Changes& changes) {
  const PreparedSpec prepared = PrepareChanged(changes);
  EXPECT_THAT(Texts(prepared), IsEmpty());
  return prepared.plan == nullptr ? LocalSchedulerConfig{} : prepared.plan->workers[0].scheduler;
}

TEST(PrepareSchedulersTest, QueueOrders) {
  EXPECT_THAT(FindingsOf({{"local_scheduler.queue_order", "lifo"}}),
              ElementsAre("ERROR local_scheduler.queue_order: unknown queue order "
                          "'lifo'; known are fcfs, sjf, priority, edf, fair"));
  EXPECT_EQ(Compiled({}).queue_order->name(), "fcfs");
  EXPECT_EQ(Compiled({{"local_scheduler.queue_order", "fair"}}).queue_order->name(), "fair");
}

TEST(PrepareSchedulersTest, AWrongNameHidesNoOtherFinding) {
  EXPECT_THAT(
      FindingsOf({{"local_scheduler",
                   "{policy: chnked, queue_order: fcsf, preemption_victim: last_admited, "
                   "max_num_seqs: -1, watermark: 2, async_scheduling_depth: 2, "
                   "parameters: {nope: 1}}"}}),
      ElementsAre(HasSubstr("policy: unknown local scheduler 'chnked'; did you mean chunked?"),
                  HasSubstr("max_num_seqs: is -1; allowed are"),
                  HasSubstr("queue_order: unknown queue order 'fcsf'; did you mean fcfs?"),
                  HasSubstr("preemption_victim: unknown preemption victim 'last_admited'"),
                  HasSubstr("parameters.nope: is no parameter"),
                  HasSubstr("watermark: is 2; it must be")));
  EXPECT_THAT(FindingsOf({{"local_scheduler", "{policy: chnked, reserve_full_prompt: false}"}}),
              ElementsAre(HasSubstr("policy: unknown local scheduler 'chnked'")));
  EXPECT_THAT(FindingsOf({{"local_scheduler.queue_order", "fcsf"}}),
              ElementsAre(HasSubstr("queue_order: unknown queue order 'fcsf'")));
}

TEST(PrepareSchedulersTest, TheOutputLengthIsForSjf) {
  EXPECT_THAT(FindingsOf({{"local_scheduler.oracle_output_length", "true"}}),
              ElementsAre("WARNING local_scheduler.oracle_output_length: does not apply "
                          "to queue order fcfs, which takes no parameters"));
  const LocalSchedulerConfig sjf = Compiled(
      {{"local_scheduler.oracle_output_length", "true"}, {"local_scheduler.queue_order", "sjf"}});
  EXPECT_TRUE(sjf.queue_order->values().flag("oracle_output_length"));
  EXPECT_FALSE(Compiled({{"local_scheduler.queue_order", "sjf"}})
                   .queue_order->values()
                   .flag("oracle_output_length"));
}

TEST(PrepareSchedulersTest, VictimsGoWithTheOrder) {
  EXPECT_EQ(Compiled({}).victim->name(), "last_admitted");
  EXPECT_EQ(Compiled({{"local_scheduler.queue_order", "priority"}}).victim->name(),
            "lowest_priority");
  EXPECT_EQ(Compiled({{"local_scheduler.queue_order", "priority"},
                      {"local_scheduler.preemption_victim", "last_admitted"}})
                .victim->name(),
            "last_admitted");
  EXPECT_EQ(PrepareChanged({{"local_scheduler.preemption_victim", "last_admitted"}}).digest,
            PrepareChanged({}).digest);
  EXPECT_NE(PrepareChanged({{"local_scheduler.preemption_victim", "lowest_priority"}}).digest,
            PrepareChanged({}).digest);
  EXPECT_THAT(FindingsOf({{"local_scheduler.preemption_victim", "last_admited"}}),
              ElementsAre("ERROR local_scheduler.preemption_victim: unknown preemption "
                          "victim 'last_admited'; did you mean last_admitted?"));
}

TEST(PrepareSchedulersTest, ParametersAreThePolicys) {
  EXPECT_FALSE(Compiled({{"local_scheduler.reserve_full_prompt", "false"}})
                   .policy->values()
                   .flag("reserve_full_prompt"));
  EXPECT_TRUE(Compiled({}).policy->values().flag("reserve_full_prompt"));
  EXPECT_THAT(FindingsOf({{"local_scheduler", "{policy: orca, reserve_full_prompt: false}"}}),
              ElementsAre("WARNING local_scheduler.reserve_full_prompt: does not apply "
                          "to local scheduler orca, which takes no parameters"));
  EXPECT_THAT(FindingsOf({{"local_scheduler", "{policy: orca, reserve_full_prompt: true}"}}),
              IsEmpty());
  EXPECT_THAT(
      FindingsOf({{"local_scheduler", "{parameters: {reserve: 1}}"}}),
      ElementsAre("ERROR local_scheduler.parameters.reserve: is no parameter; did you "
                  "mean reserve_full_prompt?; local scheduler chunked takes reserve_full_prompt, "
                  "queue order fcfs takes no parameters, preemption victim last_admitted takes no "
                  "parameters"));
}

TEST(PrepareSchedulersTest, AdmissionShares) {
  EXPECT_THAT(FindingsOf({{"local_scheduler", "{watermark: 1, max_memory_ratio: 0}"}}),
              ElementsAre("ERROR local_scheduler.watermark: is 1; it must be at least 0 "
                          "and below 1",
                          "ERROR local_scheduler.max_memory_ratio: is 0; it must be "
                          "above 0 and at most 1"));
  EXPECT_THAT(FindingsOf({{"local_scheduler.watermark", ".nan"}}),
              ElementsAre(HasSubstr("watermark: is nan; it must be")));
  const LocalSchedulerConfig config =
      Compiled({{"local_scheduler", "{watermark: 0.05, max_memory_ratio: 0.6}"}});
  EXPECT_EQ(config.watermark, 0.05);
  EXPECT_EQ(config.max_memory_ratio, 0.6);
  EXPECT_EQ(Compiled({}).watermark, 0);
  EXPECT_EQ(Compiled({}).max_memory_ratio, 1);
}

TEST(PrepareSchedulersTest, OnlyChunkedFormsBatchesAhead) {
  EXPECT_THAT(FindingsOf({{"local_scheduler.async_scheduling_depth", "3"}}),
              ElementsAre("ERROR local_scheduler.async_scheduling_depth: is 3; allowed "
                          "are 1 .. 2"));
  EXPECT_THAT(FindingsOf({{"local_scheduler", "{policy: orca, async_scheduling_depth: 2}"}}),
              ElementsAre("ERROR local_scheduler.async_scheduling_depth: is 2, but the "
                          "policy orca does not form batches ahead; chunked does"));
  EXPECT_EQ(Compiled({{"local_scheduler.async_scheduling_depth", "2"}}).async_depth, 2);
  EXPECT_EQ(
      Compiled({{"local_scheduler", "{policy: orca, async_scheduling_depth: 1}"}}).async_depth, 1);
}

TEST(PrepareSchedulersTest, SwappingNeedsHostMemory) {
  EXPECT_THAT(FindingsOf({{"local_scheduler.preemption_mode", "9"}}),
              ElementsAre("ERROR local_scheduler.preemption_mode: is not a preemption "
                          "mode; allowed are recompute, swap"));
  EXPECT_THAT(FindingsOf({{"local_scheduler.preemption_mode", "swap"}}),
              ElementsAre("ERROR workers[0].memory.host_memory_bytes: is missing: preemption_mode "
                          "swap needs room for the KV caches it moves out"));
  EXPECT_EQ(
      Compiled({{"local_scheduler.preemption_mode", "swap"}, {"memory.host_memory_bytes", "16GiB"}})
          .preemption,
      PreemptionMode::kSwap);
}

// Fields newer than the first version that say what holds anyway leave the digest alone.
TEST(PrepareSchedulersTest, WrittenDefaultsAreNoChange) {
  EXPECT_EQ(PrepareChanged({{"local_scheduler",
                             "{queue_order: fcfs, watermark: 0, max_memory_ratio: 1, "
                             "async_scheduling_depth: 1, preemption_mode: recompute, "
                             "oracle_output_length: false}"}})
                .digest,
            PrepareChanged({}).digest);
  EXPECT_NE(PrepareChanged({{"local_scheduler.watermark", "0.1"}}).digest,
            PrepareChanged({}).digest);
}

TEST(PrepareSchedulersTest, VllmV0TakesWholePrompts) {
  const LocalSchedulerConfig config = Compiled({{"local_scheduler", "vllm_v0"}});
  EXPECT_EQ(config.policy->name(), "vllm_v0");
  EXPECT_EQ(config.max_num_batched_tokens, 4'096);  // the model's context
  EXPECT_EQ(config.watermark, 0.01);
  EXPECT_EQ(Compiled({{"local_scheduler", "{policy: vllm_v0, max_model_len: 1000}"}})
                .max_num_batched_tokens,
            2'048);
  EXPECT_THAT(
      FindingsOf({{"local_scheduler", "{policy: vllm_v0, max_num_batched_tokens: 100}"}}),
      ElementsAre("ERROR local_scheduler.max_num_batched_tokens: is 100; with vllm_v0 "
                  "it must be at least max_num_seqs, 256: every running request may decode a "
                  "token"));
  EXPECT_EQ(PrepareChanged({{"local_scheduler", "{policy: vllm_v0, watermark: 0.01}"}}).digest,
            PrepareChanged({{"local_scheduler", "vllm_v0"}}).digest);
}

TEST(PrepareSchedulersTest, NoLimitOfSequencesLeavesTheBudgetAlone) {
  const auto compiled = [](const std::string& scheduler) {
    return Compiled({{"local_scheduler", scheduler}});
  };
  const LocalSchedulerConfig chunked = compiled("{max_num_seqs: 0}");
  EXPECT_EQ(chunked.max_num_batched_tokens, 2'048);
  EXPECT_EQ(chunked.max_num_seqs, 2'048) << "each of them may decode a token";
  EXPECT_EQ(compiled("{max_num_seqs: 0, max_num_batched_tokens: 64}").max_num_seqs, 64);
  const LocalSchedulerConfig v0 = compiled("{policy: vllm_v0, max_num_seqs: 0}");
  EXPECT_EQ(v0.max_num_batched_tokens, 4'096);
  EXPECT_EQ(v0.max_num_seqs, 4'096);
  EXPECT_EQ(compiled("{policy: orca, max_num_seqs: 0}").max_num_seqs, 1'000'000);
  EXPECT_THAT(FindingsOf({{"local_scheduler.max_num_seqs", "-1"}}),
              ElementsAre(HasSubstr("max_num_seqs: is -1; allowed are 0 .. 1,000,000")));
}

TEST(PrepareSchedulersTest, StaticBatchesMayWait) {
  const auto values = [](const std::string& scheduler) {
    return Compiled({{"local_scheduler", scheduler}}).policy->values();
  };
  EXPECT_EQ(values("static").choice("static.wait"), "none");
  EXPECT_EQ(values("{policy: static, static: {wait: full}}").choice("static.wait"), "full");
  EXPECT_EQ(values("{policy: static, static: {wait: full}}").real("static.timeout_seconds"), 0);
  EXPECT_EQ(values("{policy: static, static: {wait: full, timeout_seconds: 500ms}}")
                .real("static.timeout_seconds"),
            0.5);
  EXPECT_EQ(PrepareChanged({{"local_scheduler", "{policy: static, static: {wait: none}}"}}).digest,
            PrepareChanged({{"local_scheduler", "static"}}).digest);
  EXPECT_NE(PrepareChanged({{"local_scheduler", "{policy: static, static: {wait: full}}"}}).digest,
            PrepareChanged({{"local_scheduler", "static"}}).digest);
}

TEST(PrepareSchedulersTest, WhatStaticBatchesCannotWaitFor) {
  const auto findings = [](const std::string& scheduler) {
    return FindingsOf({{"local_scheduler", scheduler}});
  };
  EXPECT_THAT(findings("{policy: static, static: {wait: ful}}"),
              ElementsAre("ERROR local_scheduler.static.wait: is 'ful'; allowed are none "
                          "or full; did you mean full?"));
  EXPECT_THAT(findings("{policy: static, static: {wait: full, timeout_seconds: -1}}"),
              ElementsAre(HasSubstr("static.timeout_seconds: is -1; ")));
  EXPECT_THAT(findings("{policy: static, static: {timeout_seconds: 5}}"),
              ElementsAre("ERROR local_scheduler.static.timeout_seconds: goes with wait: "
                          "full; with wait: none nobody waits for others"));
  EXPECT_THAT(findings("{policy: static, max_num_seqs: 0, static: {wait: full}}"),
              ElementsAre("ERROR local_scheduler.max_num_seqs: is 0, no limit, but the "
                          "policy static waits here until so many requests are there; allowed are "
                          "1 .. 1,000,000"));
  EXPECT_THAT(findings("{policy: static, max_num_seqs: 0}"), IsEmpty());
  EXPECT_THAT(findings("{policy: orca, static: {wait: full}}"),
              ElementsAre("WARNING local_scheduler.static.wait: does not apply to local "
                          "scheduler orca, which takes no parameters"));
}

}  // namespace
}  // namespace tokensim
