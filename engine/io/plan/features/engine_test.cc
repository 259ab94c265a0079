// What an engine decides where the specification says nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/plan/test_specs.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

v1::WorkerGroup GroupOf(const Changes& changes) {
  const PreparedSpec prepared = PrepareChanged(changes);
  EXPECT_THAT(Texts(prepared), Not(Contains(HasSubstr("ERROR"))));
  return prepared.ok() ? prepared.resolved.workers(0) : v1::WorkerGroup{};
}

TEST(EngineTest, DecidesWhatTheSpecLeavesOut) {
  const v1::WorkerGroup group = GroupOf({{"engine", "vllm-0.23"}, {"workers[0].hardware", "h100"}});
  EXPECT_EQ(group.local_scheduler().policy(), "chunked");
  EXPECT_EQ(group.local_scheduler().max_num_batched_tokens(), 8192);
  EXPECT_EQ(group.local_scheduler().max_num_seqs(), 1024);
  EXPECT_EQ(group.local_scheduler().async_scheduling_depth(), 2);
  EXPECT_TRUE(group.local_scheduler().reserve_full_prompt());
  EXPECT_TRUE(group.memory().prefix_caching());
  EXPECT_TRUE(group.memory().reuse_unfindable_first());
  EXPECT_FALSE(group.local_scheduler().loading_takes_slot());
  EXPECT_EQ(group.memory().gpu_memory_utilization(), 0.92);
  ASSERT_EQ(group.calibration().capture_sizes_size(), 51);
  EXPECT_EQ(group.calibration().capture_sizes(50), 512);
}

TEST(EngineTest, LimitsDependOnTheDevice) {
  for (const char* device : {"a100-80g", "l40s"}) {
    const v1::WorkerGroup group =
        GroupOf({{"engine", "vllm-0.23"}, {"workers[0].hardware", device}});
    EXPECT_EQ(group.local_scheduler().max_num_batched_tokens(), 2048) << device;
    EXPECT_EQ(group.local_scheduler().max_num_seqs(), 256) << device;
  }
}

TEST(EngineTest, WhatTheSpecSaysHolds) {
  const v1::WorkerGroup group =
      GroupOf({{"engine", "vllm-0.23"},
               {"local_scheduler", "{max_num_seqs: 8, async_scheduling_depth: 1}"},
               {"memory", "{prefix_caching: false}"},
               {"calibration", "{capture_sizes: [4, 8]}"}});
  EXPECT_EQ(group.local_scheduler().max_num_seqs(), 8);
  EXPECT_EQ(group.local_scheduler().async_scheduling_depth(), 1);
  EXPECT_FALSE(group.memory().prefix_caching());
  EXPECT_FALSE(group.memory().has_reuse_unfindable_first());
  EXPECT_THAT(group.calibration().capture_sizes(), ElementsAre(4, 8));
}

TEST(EngineTest, GraphsGoUpToWhatABatchCanHave) {
  const v1::WorkerGroup group =
      GroupOf({{"engine", "vllm-0.23"}, {"local_scheduler", "{max_num_seqs: 9}"}});
  EXPECT_THAT(group.calibration().capture_sizes(), ElementsAre(1, 2, 4, 8, 16));
}

// A default gives way to the limit that is given.
TEST(EngineTest, OneLimitFollowsTheOther) {
  EXPECT_EQ(GroupOf({{"engine", "vllm-0.23"}, {"local_scheduler", "{max_num_batched_tokens: 100}"}})
                .local_scheduler()
                .max_num_seqs(),
            100);
  EXPECT_EQ(GroupOf({{"engine", "vllm-0.23"}, {"local_scheduler", "{max_num_seqs: 5000}"}})
                .local_scheduler()
                .max_num_batched_tokens(),
            5000);
}

TEST(EngineTest, OfAnotherPolicyItKnowsNothing) {
  const v1::WorkerGroup group =
      GroupOf({{"engine", "vllm-0.23"}, {"local_scheduler", "{policy: orca}"}});
  EXPECT_EQ(group.local_scheduler().max_num_seqs(), 256);
  EXPECT_EQ(group.local_scheduler().async_scheduling_depth(), 1);
  EXPECT_TRUE(group.memory().prefix_caching());
}

// Windows are cached, states are not.
TEST(EngineTest, CachesPrefixesOfModelsThatCan) {
  const auto group = [](const char* model) {
    return GroupOf({{"engine", "vllm-0.23"}, {"model", model}, {"workers[0].hardware", "h200"}});
  };
  EXPECT_TRUE(group("gpt-oss-20b").memory().prefix_caching());
  EXPECT_FALSE(group("qwen3.5-27b").memory().prefix_caching());
  EXPECT_FALSE(group("qwen3.5-27b").memory().has_reuse_unfindable_first());
}

TEST(EngineTest, V0TakesWholePrompts) {
  const v1::WorkerGroup group = GroupOf({{"engine", "vllm-0.6"}});
  EXPECT_EQ(group.local_scheduler().policy(), "vllm_v0");
  EXPECT_EQ(group.local_scheduler().max_num_batched_tokens(), 4096);  // the model's longest
  EXPECT_EQ(group.local_scheduler().watermark(), 0.01);
  EXPECT_FALSE(group.memory().prefix_caching());
}

TEST(EngineTest, AGroupMayHaveItsOwn) {
  const PreparedSpec prepared =
      PrepareChanged({{"engine", "vllm-0.23"}, {"workers[0].engine", "vllm-0.11"}});
  ASSERT_TRUE(prepared.ok()) << Texts(prepared).front();
  EXPECT_EQ(prepared.resolved.workers(0).local_scheduler().async_scheduling_depth(), 1);
  EXPECT_EQ(prepared.resolved.workers(0).engine().name(), "vLLM 0.11");
  EXPECT_EQ(prepared.resolved.engine().name(), "vLLM 0.23");
  EXPECT_EQ(prepared.resolved.engine().batch_limits_size(), 0);
}

TEST(EngineTest, PlainIsNoEngine) {
  v1::Spec with = PrepareChanged({{"engine", "plain"}}).resolved;
  with.clear_engine();
  EXPECT_EQ(with.DebugString(), PrepareChanged({}).resolved.DebugString());
}

TEST(EngineTest, EveryPresetResolvesAndStaysAsItIs) {
  for (const std::string& name : EnginePresetNames()) {
    const PreparedSpec once = PrepareChanged({{"engine", name}});
    ASSERT_TRUE(once.ok()) << name << testing::PrintToString(Texts(once));
    EXPECT_THAT(Texts(once), IsEmpty()) << name;
    const PreparedSpec twice = PrepareSpec(once.resolved, TracePolicy::NoPaths());
    EXPECT_EQ(twice.digest, once.digest) << name;
  }
}

TEST(EngineTest, MistakesAreTold) {
  EXPECT_THAT(FindingsOf({{"engine", "vllm-0.22"}}),
              Contains(HasSubstr(
                  "ERROR engine.preset: unknown engine 'vllm-0.22'; did you mean vllm-0.23")));
  EXPECT_THAT(FindingsOf({{"engine", "{capture_sizes: [8, 4], graphs_per_sequence: 0}"}}),
              ElementsAre("ERROR engine.graphs_per_sequence: is 0; allowed are 1 .. 1,000",
                          "ERROR engine.capture_sizes[1]: is 4; allowed are 9 .. 1,000,000"));
}

}  // namespace
}  // namespace tokensim
