// What PrepareSpec says about models, hardware and workers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/plan/test_specs.h"

namespace tokensim {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(PrepareModelTest, UnknownPresets) {
  const PreparedSpec prepared = PrepareChanged({{"model", "llama2-7"}});
  EXPECT_THAT(Texts(prepared), ElementsAre(HasSubstr("ERROR model.preset: unknown model preset "
                                                     "'llama2-7'; did you mean llama2-7b or ")));
  EXPECT_EQ(prepared.findings[0].reason(), "CATALOG_ENTRY_NOT_FOUND");
  EXPECT_THAT(FindingsOf({{"workers[0].hardware", "z9"}}),
              ElementsAre(HasSubstr("ERROR workers[0].hardware.preset: unknown hardware preset "
                                    "'z9'; known are a100-40g, ")));
}

TEST(PrepareModelTest, MissingFigures) {
  EXPECT_THAT(FindingsOf({{"model", "{name: mine, num_layers: 2}"}}),
              ElementsAre(HasSubstr("ERROR model.hidden_size: is missing"),
                          HasSubstr("ERROR model.num_attention_heads: is missing"),
                          HasSubstr("ERROR model.intermediate_size: is missing"),
                          HasSubstr("ERROR model.vocab_size: is missing")));
  v1::Spec spec = GoodSpec();
  spec.clear_model();
  EXPECT_THAT(Texts(PrepareSpec(spec, TracePolicy::NoPaths())),
              ElementsAre("ERROR model: is missing: name a preset (`tokensim catalog models`)"));
}

TEST(PrepareModelTest, HeadsMustDivide) {
  EXPECT_THAT(FindingsOf({{"model.num_kv_heads", "5"}}),
              ElementsAre("ERROR model.num_kv_heads: is 5; it must divide num_attention_heads, "
                          "32"));
  EXPECT_THAT(FindingsOf({{"model.num_kv_heads", "64"}}),
              ElementsAre("ERROR model.num_kv_heads: is 64; allowed are 1 .. 32"));
  EXPECT_THAT(FindingsOf({{"model",
                           "{num_layers: 2, hidden_size: 65, num_attention_heads: 4, "
                           "intermediate_size: 128, vocab_size: 100}"}}),
              ElementsAre("ERROR model.head_dim: is missing: hidden_size 65 is not a multiple of "
                          "num_attention_heads 4"));
}

TEST(PrepareModelTest, Experts) {
  EXPECT_THAT(FindingsOf({{"model.moe", "{}"}}),
              ElementsAre(HasSubstr("ERROR model.moe.num_experts: is missing"),
                          HasSubstr("ERROR model.moe.experts_per_token: is missing")));
  EXPECT_THAT(FindingsOf({{"model.moe", "{num_experts: 8, experts_per_token: 9}"}}),
              ElementsAre("ERROR model.moe.experts_per_token: is 9; allowed are 1 .. 8"));
}

TEST(PrepareModelTest, DataTypes) {
  EXPECT_THAT(FindingsOf({{"model.weight_dtype", "0"}}),
              ElementsAre("ERROR model.weight_dtype: is not a data type; allowed are fp32, bf16, "
                          "fp16, fp8, int8, int4, fp8_block, mxfp4, nvfp4, int4_g128, int4_g32"));
  EXPECT_THAT(FindingsOf({{"memory.kv_cache_dtype", "77"}}),
              ElementsAre(HasSubstr("ERROR memory.kv_cache_dtype: is not a data type")));
  const PreparedSpec fp8 = PrepareChanged({{"memory.kv_cache_dtype", "fp8"}});
  EXPECT_EQ(fp8.workers.at(0).kv_bytes_per_token(), 256 << 10);
}

TEST(PrepareHardwareTest, Ranges) {
  EXPECT_THAT(
      FindingsOf({{"workers[0].hardware.compute_efficiency", "1.2"},
                  {"workers[0].hardware.memory_efficiency", "0"},
                  {"workers[0].hardware.peak_flops", ".nan"},
                  {"workers[0].hardware.kernel_launch_seconds", "-1us"}}),
      ElementsAre("ERROR workers[0].hardware.peak_flops: is .nan; it must be above 0 and at "
                  "most 1e+21",
                  "ERROR workers[0].hardware.compute_efficiency: is 1.2; it must be above 0 "
                  "and at most 1",
                  "ERROR workers[0].hardware.memory_efficiency: is 0; it must be above 0 "
                  "and at most 1",
                  "ERROR workers[0].hardware.kernel_launch_seconds: is -1e-06; allowed are "
                  "0 .. 1000"));
}

TEST(PrepareHardwareTest, MissingFigures) {
  v1::Spec spec = GoodSpec();
  spec.mutable_workers(0)->mutable_hardware()->Clear();
  EXPECT_THAT(Texts(PrepareSpec(spec, TracePolicy::NoPaths())),
              ElementsAre(HasSubstr("hardware.peak_flops: is missing"),
                          HasSubstr("hardware.memory_bandwidth_bytes_per_second: is missing"),
                          HasSubstr("hardware.memory_bytes: is missing")));
  spec.mutable_workers(0)->clear_hardware();
  EXPECT_THAT(Texts(PrepareSpec(spec, TracePolicy::NoPaths())),
              ElementsAre("ERROR workers[0].hardware: is missing: name a preset (`tokensim catalog "
                          "hardware`)"));
}

TEST(PrepareHardwareTest, DevicesOfOneWorkerNeedALink) {
  EXPECT_THAT(FindingsOf({{"workers[0].hardware",
                           "{peak_flops: 1TFLOPS, memory_bytes: 80GiB, "
                           "memory_bandwidth_bytes_per_second: 1TB/s}"},
                          {"workers[0].parallelism.tensor", "2"}}),
              ElementsAre("ERROR workers[0].hardware.interconnect.bandwidth_bytes_per_second: is "
                          "missing: the worker's devices exchange activations over it"));
}

TEST(PrepareWorkersTest, TensorMustDivideHeads) {
  EXPECT_THAT(FindingsOf({{"workers[0].parallelism.tensor", "3"}}),
              ElementsAre("ERROR workers[0].parallelism.tensor: is 3; it must divide the model's "
                          "attention heads, 32"));
  // 8 KV heads are replicated over 16 devices; 12 would split them unevenly.
  EXPECT_THAT(FindingsOf({{"model", "llama2-70b"}, {"workers[0].parallelism.tensor", "16"}}),
              ElementsAre("WARNING workers[0].parallelism.tensor: is 16; the interconnect joins 8 "
                          "devices. Beyond them it is slower: set hardware.interconnect"));
  EXPECT_THAT(FindingsOf({{"model",
                           "{preset: llama2-7b, num_attention_heads: 48, num_kv_heads: 8, "
                           "head_dim: 128}"},
                          {"workers[0].parallelism.tensor", "12"}}),
              Contains("ERROR workers[0].parallelism.tensor: is 12; it must divide the model's "
                       "KV heads, 8, or be a multiple of them"));
}

TEST(PrepareWorkersTest, LocalSchedulers) {
  EXPECT_THAT(FindingsOf({{"local_scheduler", "best"}}),
              ElementsAre("ERROR local_scheduler.policy: unknown local scheduler 'best'; "
                          "known are chunked, orca, static, vllm_v0"));
  EXPECT_THAT(FindingsOf({{"local_scheduler", "vllm"}}),
              ElementsAre("ERROR local_scheduler.policy: unknown local scheduler 'vllm'; "
                          "did you mean vllm_v0?"));
  EXPECT_THAT(
      FindingsOf({{"local_scheduler.max_num_batched_tokens", "100"}}),
      ElementsAre("ERROR local_scheduler.max_num_batched_tokens: is 100; with "
                  "chunked it must be at least max_num_seqs, 256: every running request may "
                  "decode a token"));
  EXPECT_THAT(
      FindingsOf({{"local_scheduler", "orca"}, {"local_scheduler.max_num_batched_tokens", "100"}}),
      IsEmpty());
  EXPECT_THAT(FindingsOf({{"local_scheduler.max_num_seqs", "1000001"}}),
              ElementsAre("ERROR local_scheduler.max_num_seqs: is 1000001; allowed are "
                          "0 .. "
                          "1,000,000"));
}

TEST(PrepareWorkersTest, MaxModelLen) {
  EXPECT_THAT(FindingsOf({{"local_scheduler.max_model_len", "8192"}}),
              ElementsAre("WARNING local_scheduler.max_model_len: is 8192, beyond the "
                          "model's context of 4096"));
  EXPECT_THAT(FindingsOf({{"memory.kv_blocks", "101"}}),
              ElementsAre("WARNING workers[0].local_scheduler.max_model_len: is 4,096, but the KV "
                          "cache holds 1,600 tokens: longer requests are rejected"));
}

TEST(PrepareWorkersTest, Memory) {
  EXPECT_THAT(FindingsOf({{"memory",
                           "{block_size: 0, gpu_memory_utilization: 1.5, "
                           "reserved_bytes: -1}"}}),
              ElementsAre("ERROR memory.block_size: is 0; allowed are 1 .. 65,536",
                          "ERROR memory.gpu_memory_utilization: is 1.5; it must be above "
                          "0 and at most 1",
                          HasSubstr("ERROR memory.reserved_bytes: is -1; allowed are")));
}

TEST(PrepareWorkersTest, Affine) {
  EXPECT_THAT(FindingsOf({{"workers[0].compute.named", "{name: rooflin}"}}),
              ElementsAre("ERROR workers[0].compute.named.name: unknown compute backend 'rooflin'; "
                          "did you mean roofline?"));
  EXPECT_THAT(FindingsOf({{"workers[0].compute.named", "{name: tiled}"}}),
              Contains("ERROR workers[0].compute.named.name: has a field of its own: write "
                       "compute: {tiled: {...}}"));
  EXPECT_THAT(FindingsOf({{"workers[0].compute.affine", "{}"}}),
              ElementsAre("ERROR workers[0].compute.affine: every cost is 0; at least one must be "
                          "above 0"));
  EXPECT_THAT(FindingsOf({{"workers[0].compute.affine.iteration_seconds", "-1s"}}),
              ElementsAre("ERROR workers[0].compute.affine.iteration_seconds: is -1; allowed are 0 "
                          ".. 1e+06"));
}

TEST(PrepareWorkersTest, IterationsThatWouldTakeForEver) {
  EXPECT_THAT(FindingsOf({{"workers[0].hardware.peak_flops", "1000"}}),
              ElementsAre(HasSubstr("ERROR workers[0].compute: an iteration of the largest batch "
                                    "would take ")));
}

// 1,000 decodes at 4,096 tokens of context each.
TEST(PrepareWorkersTest, TheLargestBatchHasAllItsDecodesAtTheLongestContext) {
  EXPECT_THAT(
      FindingsOf({{"workers[0].compute", "{affine: {context_token_seconds: 1}}"},
                  {"local_scheduler.max_num_seqs", "1000"},
                  {"memory.kv_blocks", "1000000"}}),
      Contains(HasSubstr("ERROR workers[0].compute: an iteration of the largest batch would "
                         "take 4.096e+06 seconds")));
}

TEST(PrepareWorkersTest, NamesAndCounts) {
  EXPECT_THAT(FindingsOf({{"workers[1]", "{name: gpu, hardware: h100}"}}),
              ElementsAre("ERROR workers[1].name: is also the name of workers[0]"));
  EXPECT_THAT(
      FindingsOf({{"workers[0].count", "60000"}, {"workers[1]", "{hardware: h100, count: 60000}"}}),
      ElementsAre("ERROR workers: are 120,000 in all; at most 100,000 are allowed"));
  v1::Spec spec = GoodSpec();
  for (int i = 0; i < 1000; ++i) *spec.add_workers() = spec.workers(0);
  EXPECT_THAT(Texts(PrepareSpec(spec, TracePolicy::NoPaths())),
              ElementsAre("ERROR workers: has 1001 groups; at most 1,000 are allowed"));
}

TEST(PrepareWorkersTest, LongTexts) {
  v1::Spec spec = GoodSpec();
  spec.set_name(std::string(201, 'x'));
  spec.set_description(std::string(4001, 'x'));
  EXPECT_THAT(Texts(PrepareSpec(spec, TracePolicy::NoPaths())),
              ElementsAre("ERROR name: is 201 bytes long; at most 200 are allowed",
                          "ERROR description: is 4001 bytes long; at most 4,000 are allowed"));
}

TEST(PrepareRestTest, SloStopOutput) {
  EXPECT_THAT(FindingsOf({{"slo.ttft_seconds", "0"},
                          {"stop", "{max_simulated_seconds: -1, max_events: 0}"},
                          {"output.snapshot_interval_seconds", "1ns"}}),
              ElementsAre("ERROR slo.ttft_seconds: is 0; it must be above 0 and at most 4e+09",
                          "ERROR stop.max_simulated_seconds: is -1; it must be above 0 and at most "
                          "4e+09",
                          HasSubstr("ERROR stop.max_events: is 0; allowed are 1 .. "),
                          "ERROR output.snapshot_interval_seconds: must be 0 (none) or at least "
                          "1us"));
  EXPECT_THAT(FindingsOf({{"output.snapshot_interval_seconds", "0"}}), IsEmpty());
}

}  // namespace
}  // namespace tokensim
