// What PrepareSpec says about memory tiers and the memory pool, and what they compile to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/test_specs.h"
#include "engine/memory/eviction.h"
#include "engine/run/plan.h"

namespace tokensim {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

WorkerPlan Compiled(const Changes& changes) {
  const PreparedSpec prepared = PrepareChanged(changes);
  EXPECT_THAT(Texts(prepared), IsEmpty());
  return prepared.plan == nullptr ? WorkerPlan{} : prepared.plan->workers[0];
}

TEST(PrepareMemoryTest, TokensAndBytesAreBlocksOfOne) {
  EXPECT_EQ(Compiled({}).block_size, 16);
  EXPECT_EQ(Compiled({{"memory.granularity", "token"}}).block_size, 1);
  EXPECT_EQ(Compiled({{"memory", "{granularity: byte, block_size: 1}"}}).block_size, 1);
  EXPECT_THAT(FindingsOf({{"memory", "{granularity: token, block_size: 16}"}}),
              ElementsAre("ERROR memory.block_size: is 16; with granularity token or "
                          "byte, leave it out"));
  EXPECT_THAT(FindingsOf({{"memory.granularity", "7"}}),
              ElementsAre("ERROR memory.granularity: is not a granularity; allowed are "
                          "block, token, byte"));
}

TEST(PrepareMemoryTest, PrefixCaching) {
  EXPECT_FALSE(Compiled({}).prefix_caching);
  EXPECT_TRUE(Compiled({{"memory.prefix_caching", "true"}}).prefix_caching);
}

// An iteration registers the blocks of a whole prompt: what that costs is bounded.
TEST(PrepareMemoryTest, WhatAPrefixCacheRemembersIsBounded) {
  const auto findings = [](int64_t kv_blocks, int64_t longest) {
    return FindingsOf({{"memory", absl::StrCat("{prefix_caching: true, block_size: 1, kv_blocks: ",
                                               kv_blocks, "}")},
                       {"local_scheduler", absl::StrCat("{max_model_len: ", longest, "}")}});
  };
  constexpr char kBlocks[] =
      "ERROR memory.kv_blocks: makes 100,000,001 blocks; at most 100,000,000 are allowed with "
      "prefix_caching: take larger blocks";
  constexpr char kRequest[] =
      "ERROR memory.block_size: is 1: a request of max_model_len has 2,000,001 blocks; at most "
      "2,000,000 are allowed with prefix_caching";
  // One of the blocks holds no tokens.
  EXPECT_THAT(findings(100'000'002, 2'000'001), IsSupersetOf({kBlocks, kRequest}));
  EXPECT_THAT(findings(100'000'001, 2'000'000), Not(Contains(HasSubstr("ERROR"))));
}

// Blocks of every group of layers: of 16 tokens, half of them of a window.
TEST(PrepareMemoryTest, APrefixCacheRemembersEveryGroup) {
  const auto findings = [](const std::string& longest) {
    return FindingsOf({{"model", "gpt-oss-20b"},
                       {"workers[0].hardware", "h100"},
                       {"memory.prefix_caching", "true"},
                       {"memory.block_size", "1"},
                       {"local_scheduler.max_model_len", longest}});
  };
  EXPECT_THAT(findings("1000000"), Not(Contains(HasSubstr("ERROR"))));
  EXPECT_THAT(findings("1000001"),
              Contains(HasSubstr("a request of max_model_len has 2,000,002 blocks; at most")));
}

TEST(PrepareMemoryTest, StatesAreNotCached) {
  const auto findings = [](const std::string& memory) {
    return FindingsOf({{"model", "qwen3.5-27b"},
                       {"workers[0].hardware", "h200"},
                       {"workers[0].compute.roofline", "{}"},
                       {"memory", memory}});
  };
  EXPECT_THAT(findings("{prefix_caching: true}"),
              ElementsAre(HasSubstr("ERROR memory.prefix_caching: does not go with a model whose "
                                    "layers keep states")));
  EXPECT_THAT(findings("{prefix_caching: false}"), IsEmpty());
}

TEST(PrepareMemoryTest, ReuseIsOfAPrefixCache) {
  EXPECT_FALSE(Compiled({{"memory.prefix_caching", "true"}}).reuses_unfindable_first);
  EXPECT_TRUE(Compiled({{"memory", "{prefix_caching: true, reuse_unfindable_first: true}"}})
                  .reuses_unfindable_first);
  EXPECT_THAT(FindingsOf({{"memory.reuse_unfindable_first", "true"}}),
              ElementsAre("WARNING memory.reuse_unfindable_first: is not used: it needs "
                          "prefix_caching"));
}

// LLaMA2-7B: 512 KiB a token, 8 MiB a block.
TEST(PrepareMemoryTest, HostMemoryIsCountedInBlocks) {
  const WorkerPlan worker = Compiled({{"memory.host_memory_bytes", "1GiB"}});
  EXPECT_EQ(worker.kv_bytes_per_token, 512 << 10);
  EXPECT_EQ(worker.host_blocks, 128);
  EXPECT_EQ(worker.host_link.name, "PCIe 4 x16");
  EXPECT_EQ(worker.host_link.bandwidth_bytes_per_second, 32e9);
  EXPECT_FALSE(worker.overlap_swap);
  EXPECT_EQ(Compiled({}).host_blocks, 0);
  EXPECT_EQ(Compiled({{"memory", "{host_memory_bytes: 1GiB, granularity: token}"}}).host_blocks,
            2'048);
}

TEST(PrepareMemoryTest, EveryDeviceHasItsHostLink) {
  const WorkerPlan worker =
      Compiled({{"memory", "{host_memory_bytes: 1GiB, overlap_swap: true}"},
                {"workers[0].parallelism.tensor", "2"},
                {"workers[0].hardware.host_link",
                 "{name: PCIe 5 x16, bandwidth_bytes_per_second: 64GB/s, latency_seconds: 2us}"}});
  EXPECT_EQ(worker.host_blocks, 128);
  EXPECT_EQ(worker.host_link.name, "PCIe 5 x16");
  EXPECT_EQ(worker.host_link.bandwidth_bytes_per_second, 128e9);
  EXPECT_EQ(worker.host_link.latency_seconds, 2e-6);
  EXPECT_TRUE(worker.overlap_swap);
}

// A stage has its part of the layers of every block, and its own link.
TEST(PrepareMemoryTest, EveryStageHasItsHostLink) {
  const WorkerPlan worker = Compiled({{"memory", "{host_memory_bytes: 1GiB}"},
                                      {"workers[0].parallelism", "{tensor: 4, pipeline: 2}"}});
  EXPECT_EQ(worker.kv_bytes_per_token, 512 << 10);
  EXPECT_EQ(worker.host_link.bandwidth_bytes_per_second, 8 * 32e9);
}

Changes HugeCache(const std::string& layers) {
  return {{"model", "{num_layers: " + layers + ", hidden_size: 4096, num_attention_heads: 25, " +
                        "head_dim: 10000, intermediate_size: 1, vocab_size: 1}"},
          {"workers[0].memory.kv_blocks", "1000000"},
          {"workers[0].compute", "{affine: {iteration_seconds: 5ms}}"}};
}

TEST(PrepareMemoryTest, TheCacheOfATokenIsBounded) {
  EXPECT_EQ(PrepareChanged(HugeCache("1000")).plan->workers[0].kv_bytes_per_token, 1'000'000'000);
  Changes changes = HugeCache("1000");
  changes.push_back({"workers[0].memory.kv_cache_dtype", "fp32"});
  const std::string message =
      "the KV cache of a token has 2,000,000,000 bytes; at most 1,000,000,000 are allowed: "
      "num_layers, num_kv_heads and head_dim make it";
  EXPECT_THAT(FindingsOf(changes), Contains("ERROR model: " + message));
  changes[0].first = "workers[0].model";
  EXPECT_THAT(FindingsOf(changes), Contains("ERROR workers[0].model: " + message));
}

TEST(PrepareMemoryTest, HostMemoryRanges) {
  EXPECT_THAT(FindingsOf({{"memory.host_memory_bytes", "-1"}}),
              ElementsAre(HasSubstr("memory.host_memory_bytes: is -1; allowed are 0 .. ")));
  EXPECT_THAT(FindingsOf({{"memory.host_memory_bytes", "1MiB"}}),
              ElementsAre("ERROR memory.host_memory_bytes: is 1048576; one KV block has "
                          "8,388,608 bytes"));
  v1::Spec spec = ParseSpec(R"(
workers:
  - compute: {affine: {iteration_seconds: 5ms}}
    memory: {kv_blocks: 1000, host_memory_bytes: 1GiB}
    local_scheduler: {max_model_len: 1000}
workload:
  num_requests: 10
  arrival: {constant: {rate_per_second: 10}}
  lengths: {independent: {input: {fixed: 100}, output: {fixed: 10}}}
)");
  EXPECT_THAT(Texts(PrepareSpec(spec, TracePolicy::NoPaths())),
              ElementsAre("ERROR workers[0].memory.host_memory_bytes: needs the size of the KV "
                          "cache of a token: give the worker's model, or a preset"));
}

TEST(PrepareMemoryTest, HostLinkAndPrice) {
  EXPECT_THAT(
      FindingsOf({{"workers[0].hardware.host_link",
                   "{bandwidth_bytes_per_second: 1, latency_seconds: -1s}"},
                  {"workers[0].hardware.price", "0"}}),
      ElementsAre("ERROR workers[0].hardware.price: is 0; it must be above 0 and at most 1e+12",
                  "ERROR workers[0].hardware.host_link.latency_seconds: is -1; allowed are 0 .. "
                  "1000",
                  "ERROR workers[0].hardware.host_link.bandwidth_bytes_per_second: is 1; it must "
                  "be 0 (not limited) or at least 1kB/s"));
  EXPECT_THAT(FindingsOf({{"workers[0].hardware.price", "0.25"}}), IsEmpty());
  const WorkerPlan worker = Compiled(
      {{"memory.host_memory_bytes", "1GiB"}, {"workers[0].hardware.host_link.name", "pcie5"}});
  EXPECT_EQ(worker.host_link.bandwidth_bytes_per_second, 64e9);
}

TEST(PrepareMemoryTest, WrittenDefaultsAreNoChange) {
  EXPECT_EQ(PrepareChanged({{"memory",
                             "{prefix_caching: false, granularity: block, host_memory_bytes: 0, "
                             "overlap_swap: false}"}})
                .digest,
            PrepareChanged({}).digest);
  EXPECT_NE(PrepareChanged({{"memory.prefix_caching", "true"}}).digest, PrepareChanged({}).digest);
}

// A trace with two turns of one conversation.
Changes WithConversations(Changes changes) {
  changes.push_back({"workload",
                     "{trace: {rows: {input_tokens: [10, 10], output_tokens: [5, 5], "
                     "conversation: [3, 3]}}, num_requests: 2, lengths: {trace: {}}, "
                     "arrival: {constant: {rate_per_second: 1}}}"});
  return changes;
}

TEST(PrepareMemoryPoolTest, Compiles) {
  EXPECT_FALSE(PrepareChanged({}).plan->memory_pool.has_value());
  const PreparedSpec plain = PrepareChanged(WithConversations({{"memory_pool", "{}"}}));
  EXPECT_THAT(Texts(plain), IsEmpty());
  ASSERT_TRUE(plain.plan->memory_pool.has_value());
  EXPECT_EQ(plain.plan->memory_pool->capacity_bytes, 0);
  EXPECT_EQ(plain.plan->memory_pool->fetch_latency_per_block_seconds, 800e-9);
  EXPECT_FALSE(plain.plan->memory_pool->link.has_value());
  EXPECT_EQ(plain.plan->memory_pool->eviction->name(), "lru");
  EXPECT_EQ(plain.plan->memory_pool->load, PoolLoad::kAsync);

  const PreparedSpec full = PrepareChanged(
      WithConversations({{"memory_pool",
                          "{capacity_bytes: 1TiB, fetch_latency_per_block_seconds: 0, eviction: "
                          "fifo, load: blocking, link: {bandwidth_bytes_per_second: 25GB/s}}"}}));
  EXPECT_THAT(Texts(full), IsEmpty());
  EXPECT_EQ(full.plan->memory_pool->capacity_bytes, int64_t{1} << 40);
  EXPECT_EQ(full.plan->memory_pool->fetch_latency_per_block_seconds, 0);
  EXPECT_EQ(full.plan->memory_pool->link->bandwidth_bytes_per_second, 25e9);
  EXPECT_EQ(full.plan->memory_pool->eviction->name(), "fifo");
  EXPECT_EQ(full.plan->memory_pool->load, PoolLoad::kBlocking);

  const PreparedSpec async = PrepareChanged(WithConversations({{"memory_pool", "{load: async}"}}));
  EXPECT_EQ(async.plan->memory_pool->load, PoolLoad::kAsync);
  EXPECT_EQ(async.resolved.DebugString(), plain.resolved.DebugString());
}

TEST(PrepareMemoryPoolTest, EvictionsHaveNames) {
  const auto findings = [](const std::string& pool) {
    return Texts(PrepareChanged(WithConversations({{"memory_pool", pool}})));
  };
  const PreparedSpec named =
      PrepareChanged(WithConversations({{"memory_pool", "{eviction_policy: fifo}"}}));
  EXPECT_THAT(Texts(named), IsEmpty());
  EXPECT_EQ(named.plan->memory_pool->eviction->name(), "fifo");
  EXPECT_EQ(PrepareChanged(WithConversations({{"memory_pool", "{eviction_policy: lru}"}})).digest,
            PrepareChanged(WithConversations({{"memory_pool", "{}"}})).digest);
  EXPECT_THAT(findings("{eviction_policy: fifp}"),
              ElementsAre("ERROR memory_pool.eviction_policy: unknown eviction 'fifp'; did you "
                          "mean fifo?"));
  EXPECT_THAT(
      findings("{eviction: lru, eviction_policy: fifo}"),
      ElementsAre(
          "ERROR memory_pool.eviction_policy: does not go with eviction: give one of them"));
  EXPECT_THAT(findings("{parameters: {size: 1}}"),
              ElementsAre("ERROR memory_pool.parameters.size: is no parameter; eviction lru takes "
                          "no parameters"));
}

TEST(PrepareMemoryPoolTest, NeedsConversations) {
  EXPECT_THAT(FindingsOf({{"memory_pool", "{}"}}),
              ElementsAre("WARNING memory_pool: is not used: the workload has no conversations"));
}

TEST(PrepareMemoryPoolTest, Ranges) {
  EXPECT_THAT(
      FindingsOf(WithConversations({{"memory_pool",
                                     "{capacity_bytes: 0, fetch_latency_per_block_seconds: -1s, "
                                     "eviction: 5, load: 7, link: {latency_seconds: -1s}}"}})),
      ElementsAre(HasSubstr("ERROR memory_pool.capacity_bytes: is 0; allowed are 1 .. "),
                  "ERROR memory_pool.fetch_latency_per_block_seconds: is -1; allowed are 0 .. 1000",
                  "ERROR memory_pool.load: is not a way to load; allowed are async, blocking",
                  "ERROR memory_pool.link.latency_seconds: is -1; allowed are 0 .. 1000",
                  "ERROR memory_pool.eviction: is not an eviction; allowed are lru, fifo"));
}

TEST(PrepareMemoryPoolTest, IsSharedByWorkersWithOneModel) {
  EXPECT_THAT(FindingsOf(WithConversations(
                  {{"memory_pool", "{}"},
                   {"workers[1]", "{hardware: a100-80g, memory: {kv_cache_dtype: fp8}}"},
                   {"workers[2]", "{hardware: a100-80g, model: llama2-13b}"},
                   {"workers[3]",
                    "{hardware: a100-80g, compute: {roofline: {}}, model: {preset: llama2-7b, "
                    "weight_dtype: int8}}"}})),
              ElementsAre("ERROR workers[1].memory.kv_cache_dtype: differs from that of "
                          "workers[0], but the memory pool is shared",
                          "ERROR workers[2].model: differs from that of workers[0], but the memory "
                          "pool is shared"));
}

}  // namespace
}  // namespace tokensim
