#include "engine/io/plan/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/cluster/simulation.h"
#include "engine/io/plan/test_messages.h"
#include "engine/io/plan/test_specs.h"
#include "engine/policy/global/global_scheduler.h"
#include "engine/workload/arrival_process.h"
#include "engine/workload/length_source.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(PrepareTest, FillsInEveryDefault) {
  const PreparedSpec prepared = PrepareSpec(GoodSpec(), TracePolicy::NoPaths());
  EXPECT_THAT(Texts(prepared), IsEmpty());
  ASSERT_TRUE(prepared.ok());
  const v1::Spec& spec = prepared.resolved;
  EXPECT_TRUE(spec.has_seed());
  EXPECT_EQ(spec.model().preset(), "");
  EXPECT_EQ(spec.model().name(), "Llama-2-7B");
  EXPECT_EQ(spec.model().num_layers(), 32);
  const v1::WorkerGroup& group = spec.workers(0);
  EXPECT_EQ(group.count(), 1);
  EXPECT_EQ(group.hardware().preset(), "");
  EXPECT_EQ(group.hardware().memory_bytes(), int64_t{80} << 30);
  EXPECT_EQ(group.parallelism().tensor(), 1);
  EXPECT_TRUE(group.compute().has_kernels());
  EXPECT_EQ(group.local_scheduler().policy(), "chunked");
  EXPECT_EQ(group.local_scheduler().max_num_seqs(), 256);
  EXPECT_EQ(group.local_scheduler().max_num_batched_tokens(), 2048);
  EXPECT_TRUE(group.local_scheduler().reserve_full_prompt());
  EXPECT_EQ(group.local_scheduler().max_model_len(), 4096);
  EXPECT_EQ(group.memory().block_size(), 16);
  EXPECT_EQ(group.memory().gpu_memory_utilization(), 0.9);
  EXPECT_EQ(group.memory().reserved_bytes(), int64_t{2} << 30);
  EXPECT_EQ(group.memory().kv_cache_dtype(), v1::DATA_TYPE_BF16);
  EXPECT_EQ(spec.global_scheduler().policy(), "round_robin");
  EXPECT_EQ(spec.output().snapshot_interval_seconds(), 1);
  EXPECT_EQ(spec.output().timeline_points(), 256);
}

TEST(PrepareTest, CompilesThePlan) {
  const PreparedSpec prepared =
      PrepareChanged({{"workers[0].count", "3"},
                      {"global_scheduler", "least_requests"},
                      {"slo.ttft_seconds", "2s"},
                      {"stop", "{max_simulated_seconds: 1h, max_events: 1000}"},
                      {"seed", "9"}});
  ASSERT_TRUE(prepared.ok()) << Texts(prepared).front();
  const Plan& plan = *prepared.plan;
  ASSERT_THAT(plan.workers, SizeIs(3));
  EXPECT_EQ(plan.workers[2].name, "gpu/2");
  EXPECT_EQ(plan.workers[2].hardware, "NVIDIA A100 80GB SXM");
  EXPECT_EQ(plan.workers[0].compute, plan.workers[2].compute);
  EXPECT_EQ(plan.workers[0].max_model_len, 4096);
  EXPECT_EQ(plan.global_scheduler->name(), "least_requests");
  EXPECT_EQ(plan.slo.ttft, 2 * kNanosPerSecond);
  EXPECT_FALSE(plan.slo.e2e.has_value());
  EXPECT_EQ(plan.max_simulated_time, 3600 * kNanosPerSecond);
  EXPECT_EQ(plan.max_events, 1000);
  EXPECT_EQ(plan.seed, 9);
  EXPECT_EQ(plan.workload.num_requests, 100);
  EXPECT_EQ(plan.workload.arrivals.process->values().real("rate_per_second"), 1);
}

// LLaMA2-7B: 6,738,415,616 parameters of 2 bytes; a token's KV is 512 KiB.
TEST(PrepareTest, KvCapacityIsWhatTheMemoryLeaves) {
  const PreparedSpec chunked = PrepareSpec(GoodSpec(), TracePolicy::NoPaths());
  const int64_t free_bytes = (int64_t{80} << 30) * 9 / 10 - 2 * 6'738'415'616 - (int64_t{2} << 30);
  const int64_t blocks = free_bytes / (16 * (512 << 10));
  ASSERT_TRUE(chunked.ok());
  EXPECT_EQ(chunked.plan->workers[0].kv_blocks, blocks - 1);  // without vLLM's null block
  const v1::WorkerEstimate& estimate = chunked.workers.at(0);
  EXPECT_EQ(estimate.group(), "gpu");
  EXPECT_EQ(estimate.weight_bytes_per_device(), 2 * 6'738'415'616);
  EXPECT_EQ(estimate.kv_bytes_per_token(), 512 << 10);
  EXPECT_EQ(estimate.kv_blocks(), blocks - 1);
  EXPECT_EQ(estimate.kv_tokens(), (blocks - 1) * 16);
  const PreparedSpec orca = PrepareChanged({{"local_scheduler", "orca"}});
  EXPECT_EQ(orca.plan->workers[0].kv_blocks, blocks);
}

TEST(PrepareTest, ExplicitBlocksReplaceTheComputedNumber) {
  EXPECT_EQ(PrepareChanged({{"memory.kv_blocks", "1000"}}).plan->workers[0].kv_blocks, 999);
  EXPECT_EQ(PrepareChanged({{"memory.kv_blocks", "1000"}, {"local_scheduler", "static"}})
                .plan->workers[0]
                .kv_blocks,
            1000);
  EXPECT_THAT(FindingsOf({{"memory.kv_blocks", "100000"}}),
              ElementsAre("WARNING memory.kv_blocks: is 100,000; the device's memory "
                          "has room for 7,353"));
  EXPECT_THAT(FindingsOf({{"memory.kv_blocks", "1"}}),
              ElementsAre("ERROR memory.kv_blocks: is 1; allowed are 2 .. "
                          "1,000,000,000,000"));
}

TEST(PrepareTest, TensorParallelismSplitsTheMemory) {
  const PreparedSpec prepared =
      PrepareChanged({{"model", "llama2-70b"}, {"workers[0].parallelism.tensor", "4"}});
  ASSERT_TRUE(prepared.ok()) << Texts(prepared).front();
  EXPECT_NEAR(static_cast<double>(prepared.workers[0].weight_bytes_per_device()), 68.98e9 / 2, 1e8);
  EXPECT_EQ(prepared.workers[0].kv_bytes_per_token(), 2 * 80 * 8 * 128 * 2);
}

TEST(PrepareTest, AModelThatDoesNotFitIsAnError) {
  const PreparedSpec prepared = PrepareChanged({{"model", "llama2-70b"}});
  ASSERT_THAT(prepared.findings, SizeIs(1));
  EXPECT_FALSE(prepared.ok());
  EXPECT_EQ(prepared.findings[0].reason(), "MODEL_DOES_NOT_FIT");
  EXPECT_THAT(
      Texts(prepared),
      ElementsAre("ERROR workers[0].hardware.memory_bytes: the model does not fit: a device "
                  "needs 130.49 GiB for weights, reserve and one KV block; available are "
                  "72.00 GiB (80.00 GiB x gpu_memory_utilization 0.9). Raise "
                  "parallelism.tensor (now 1), use a larger device or a smaller "
                  "weight_dtype"));
}

// Two blocks of 16 tokens: one for requests, one that vLLM keeps to itself.
TEST(PrepareTest, OneBlockForRequestsIsEnough) {
  const int64_t usable = 77'309'411'328;  // 80 GiB x 0.9
  const int64_t weights = PrepareChanged({}).workers[0].weight_bytes_per_device();
  const int64_t reserved = usable - weights - 2 * 16 * (2 * 32 * 32 * 128 * 2);
  const PreparedSpec fits = PrepareChanged({{"memory.reserved_bytes", std::to_string(reserved)}});
  ASSERT_TRUE(fits.ok()) << Texts(fits).front();
  EXPECT_EQ(fits.workers[0].kv_blocks(), 1);
  const PreparedSpec lacks =
      PrepareChanged({{"memory.reserved_bytes", std::to_string(reserved + 1)}});
  ASSERT_THAT(lacks.findings, SizeIs(1));
  EXPECT_EQ(lacks.findings[0].reason(), "MODEL_DOES_NOT_FIT");
}

TEST(PrepareTest, GroupsInheritAndOverride) {
  const PreparedSpec prepared = PrepareSpec(ParseSpec(R"(
model: llama2-7b
local_scheduler: {policy: orca, max_num_seqs: 10}
memory: {block_size: 32}
workers:
  - hardware: a100-80g
  - hardware: h100
    model: {preset: llama3.1-8b, max_position_embeddings: 8192}
    local_scheduler: {max_num_seqs: 20}
    memory: {gpu_memory_utilization: 0.5}
workload: {num_requests: 1, arrival: {burst: {}}, lengths: sharegpt}
)"),
                                            TracePolicy::NoPaths());
  ASSERT_TRUE(prepared.ok()) << Texts(prepared).front();
  const auto& groups = prepared.resolved.workers();
  EXPECT_EQ(groups[0].name(), "group0");
  EXPECT_EQ(groups[0].local_scheduler().max_num_seqs(), 10);
  EXPECT_EQ(groups[1].local_scheduler().max_num_seqs(), 20);
  EXPECT_EQ(groups[1].local_scheduler().policy(), "orca");
  EXPECT_EQ(groups[1].memory().block_size(), 32);
  EXPECT_EQ(groups[1].memory().gpu_memory_utilization(), 0.5);
  EXPECT_EQ(groups[1].model().num_kv_heads(), 8);
  EXPECT_EQ(groups[1].local_scheduler().max_model_len(), 8192);
  EXPECT_FALSE(prepared.resolved.has_local_scheduler());
  EXPECT_FALSE(prepared.resolved.has_memory());
}

TEST(PrepareTest, ModelsOfOnesOwn) {
  const PreparedSpec prepared = PrepareChanged(
      {{"model",
        "{num_layers: 2, hidden_size: 64, num_attention_heads: 4, intermediate_size: 128, "
        "vocab_size: 100}"}});
  ASSERT_TRUE(prepared.ok()) << Texts(prepared).front();
  EXPECT_EQ(prepared.resolved.model().num_kv_heads(), 4);
  EXPECT_EQ(prepared.resolved.model().head_dim(), 16);
  EXPECT_TRUE(prepared.resolved.model().gated_mlp());
  EXPECT_EQ(prepared.resolved.model().weight_dtype(), v1::DATA_TYPE_BF16);
  EXPECT_EQ(prepared.plan->workers[0].max_model_len, 1'000'000);
}

TEST(PrepareTest, AffineWorkersNeedNeitherModelNorHardware) {
  const PreparedSpec prepared = PrepareSpec(ParseSpec(R"(
workers: [{compute: {affine: {iteration_seconds: 1ms}}, memory: {kv_blocks: 11}}]
workload:
  num_requests: 3
  arrival: {burst: {}}
  lengths: {independent: {input: {fixed: 10}, output: {fixed: 10}}}
)"),
                                            TracePolicy::NoPaths());
  ASSERT_TRUE(prepared.ok()) << Texts(prepared).front();
  EXPECT_EQ(prepared.plan->workers[0].kv_blocks, 10);
  EXPECT_EQ(prepared.plan->workers[0].hardware, "");
  EXPECT_EQ(prepared.plan->workload.arrivals.process->values().integer("size"), 3);
}

void ExpectIdempotent(const PreparedSpec& first) {
  const PreparedSpec second = PrepareSpec(first.resolved, TracePolicy::NoPaths());
  ASSERT_TRUE(second.ok()) << Texts(second).front();
  EXPECT_EQ(ToYaml(second.resolved), ToYaml(first.resolved));
  EXPECT_EQ(second.digest, first.digest);
  EXPECT_EQ(second.plan->workers[0].kv_blocks, first.plan->workers[0].kv_blocks);
  // The resolved spec survives being written as YAML.
  v1::Spec read;
  EXPECT_THAT(ParseYaml(ToYaml(first.resolved), "f", &read), IsEmpty());
  EXPECT_EQ(PrepareSpec(read, TracePolicy::NoPaths()).digest, first.digest);
}

TEST(PrepareTest, PreparingTheResolvedSpecChangesNothing) {
  ExpectIdempotent(PrepareChanged({}));
  ExpectIdempotent(PrepareChanged({{"workload.lengths", "sharegpt"}}));
  ExpectIdempotent(PrepareChanged(
      {{"workload.lengths.independent.input", "{lognormal: {median: 100, sigma: 1}}"},
       {"workload.arrival.burst", "{}"},
       {"slo", "{}"}}));
  ExpectIdempotent(PrepareChanged({{"local_scheduler", "orca"}, {"memory.kv_blocks", "500"}}));
  ExpectIdempotent(PrepareChanged(
      {{"workload.trace", "{rows: {input_tokens: [1, 2], output_tokens: [3, 4]}, offset: 1}"},
       {"workload.lengths.trace", "{}"}}));
}

TEST(PrepareTest, FindingsComeInTheOrderOfTheSpecAndAllAtOnce) {
  EXPECT_THAT(FindingsOf({{"seed", "-1"},
                          {"model.num_layers", "0"},
                          {"workload.num_requests", "0"},
                          {"global_scheduler", "round_robbin"},
                          {"workers[0].count", "0"},
                          {"output.timeline_points", "1"}}),
              ElementsAre("ERROR model.num_layers: is 0; allowed are 1 .. 1,000",
                          "ERROR workers[0].count: is 0; allowed are 1 .. 100,000",
                          "ERROR global_scheduler.policy: unknown global scheduler "
                          "'round_robbin'; did you mean round_robin?",
                          "ERROR workload.num_requests: is 0; allowed are 1 .. 1,000,000,000",
                          "ERROR output.timeline_points: is 1; allowed are 2 .. 4,096",
                          "ERROR seed: is -1; allowed are 0 .. 9,223,372,036,854,775,807"));
}

TEST(PrepareTest, AnEmptySpecNamesWhatIsMissing) {
  EXPECT_THAT(Texts(PrepareSpec({}, TracePolicy::NoPaths())),
              ElementsAre("ERROR workers: is missing: at least one group of workers is needed",
                          "ERROR workload.num_requests: is missing: how many requests to simulate, "
                          "or duration_seconds",
                          HasSubstr("ERROR workload.arrival: is missing: give one of poisson"),
                          HasSubstr("ERROR workload.lengths: is missing: give a preset")));
}

TEST(PrepareTest, FindingsAreBounded) {
  v1::Spec spec = GoodSpec();
  for (int i = 0; i < 999; ++i) spec.add_workers()->set_count(0);
  const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
  EXPECT_THAT(prepared.findings, SizeIs(201));
  EXPECT_THAT(prepared.findings.back().message(), HasSubstr("more findings are not shown"));
}

// A record and the report's columns for each request, what a worker holds with its timeline, and a
// waiting request for each user of a closed loop.
TEST(PrepareTest, EstimatesMemoryByWhatARunHolds) {
  const auto bytes = [](const Changes& changes) {
    const PreparedSpec prepared = PrepareChanged(changes);
    EXPECT_TRUE(prepared.ok());
    return ToEstimate(prepared).estimated_memory_bytes();
  };
  const int64_t base = bytes({});
  constexpr int64_t kRequest = RequestTable::kRowBytes + 2 * sizeof(double);
  EXPECT_EQ(bytes({{"workload.num_requests", "1000100"}}) - base, 1'000'000 * kRequest);
  const int64_t small = bytes({{"workers[0].count", "101"}, {"output.timeline_points", "2"}});
  const int64_t large = bytes({{"workers[0].count", "101"}, {"output.timeline_points", "4096"}});
  EXPECT_GT(small - base, 100 * 5'000 - 40'000);
  EXPECT_GT(large, 101 * 4096 * 5 * 8) << "the integrals of five series alone";
  EXPECT_GT(large - small, 10 * small);
  const int64_t few = bytes({{"workload.arrival", "{closed_loop: {users: 1}}"}});
  const int64_t many = bytes({{"workload.arrival", "{closed_loop: {users: 100}}"}});
  EXPECT_GT(many - few, 99 * 300);
}

TEST(EstimateTest, SaysWhatTheRunWouldBe) {
  const v1::Estimate estimate = ToEstimate(PrepareSpec(GoodSpec(), TracePolicy::NoPaths()));
  EXPECT_EQ(estimate.requests(), 100);
  EXPECT_GT(estimate.estimated_wall_seconds(), 0);
  EXPECT_GE(estimate.estimated_memory_bytes(), 10'000);
  EXPECT_EQ(estimate.workers(0).group(), "gpu");
  EXPECT_TRUE(estimate.has_resolved_spec());
  const v1::Estimate bad = ToEstimate(PrepareSpec({}, TracePolicy::NoPaths()));
  EXPECT_FALSE(bad.has_resolved_spec());
  EXPECT_GT(bad.findings_size(), 0);
}

// Whatever the message, an answer: findings or a plan that runs.
TEST(PrepareTest, AnySpecIsAnswered) {
  RandomMessages random(3);
  int good = 0;
  for (int i = 0; i < 3'000; ++i) {
    v1::Spec spec;
    if (i % 4 == 0) {
      random.Fill(0.5, &spec);
    } else {
      spec = GoodSpec();
      for (int edits = 1 + i % 4; edits > 0; --edits) random.Mutate(&spec);
    }
    const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
    bool has_error = false;
    for (const v1::Finding& f : prepared.findings) {
      has_error = has_error || f.severity() == v1::Finding::ERROR;
      EXPECT_NE(f.message(), "");
    }
    ASSERT_EQ(prepared.ok(), !has_error) << ToYaml(spec);
    if (!prepared.ok()) continue;
    ++good;
    ASSERT_EQ(PrepareSpec(prepared.resolved, TracePolicy::NoPaths()).digest, prepared.digest)
        << ToYaml(spec);
    Simulation simulation(prepared.plan);
    const absl::Status status = simulation.Advance(200);
    ASSERT_TRUE(status.ok()) << status << "\n" << ToYaml(spec);
  }
  EXPECT_GT(good, 100);
}

}  // namespace
}  // namespace tokensim
