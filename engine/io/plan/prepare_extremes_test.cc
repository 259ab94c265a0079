// The ends of the ranges that PrepareSpec accepts: whatever it accepts runs, no sum or product of a
// user's figures overflows (the sanitizers look), and no invariant breaks.
#include <gtest/gtest.h>

#include <iterator>

#include "engine/cluster/simulation.h"
#include "engine/io/plan/test_messages.h"
#include "engine/io/plan/test_specs.h"
#include "engine/run/observer.h"

namespace tokensim {
namespace {

class SilentObserver final : public Observer {
 public:
  void OnEvent(SimTime, const Event&) override {}
};

// A token has 10^9 bytes, a request 10^9 tokens.
constexpr const char* kLargest[] = {
    // The slowest links carry the largest caches.
    R"(
model: {num_layers: 1000, hidden_size: 1000, num_attention_heads: 25, head_dim: 10000,
        intermediate_size: 1, vocab_size: 1}
workers:
  - {name: prefill, role: prefill, node: 0, compute: {affine: {iteration_seconds: 1000}}}
  - {name: decode, role: decode, node: 99999, count: 2,
     compute: {affine: {iteration_seconds: 1000}}}
memory: {kv_blocks: 1000000000000, block_size: 65536}
local_scheduler: {max_model_len: 1000000000, max_num_batched_tokens: 100000000,
                  max_num_seqs: 1000000}
global_scheduler: {signal_delay_seconds: 4e9}
network: {inter_node: {bandwidth_bytes_per_second: 1000, latency_seconds: 1000},
          kv_transfer: {mode: sequential, groups: 10000}}
workload:
  num_requests: 20
  arrival: {burst: {size: 20}}
  lengths: {independent: {input: {fixed: 999999990}, output: {uniform: {min: 1, max: 10}}}}
output: {snapshot_interval_seconds: 4e9, timeline_points: 2}
)",
    // Fast links, so that a link and a pool see many of them.
    R"(
model: {num_layers: 1000, hidden_size: 1000, num_attention_heads: 25, head_dim: 10000,
        intermediate_size: 1, vocab_size: 1}
workers: [{count: 2, compute: {affine: {iteration_seconds: 1us}}}]
memory: {kv_blocks: 1000000000000}
local_scheduler: {policy: orca, max_model_len: 1000000000}
memory_pool: {fetch_latency_per_block_seconds: 0, link: {bandwidth_bytes_per_second: 1e21}}
workload:
  num_requests: 100
  arrival: {constant: {rate_per_second: 1e9}}
  lengths: {independent: {input: {fixed: 300000000}, output: {fixed: 2}}}
  conversations: {think_time: {fixed_seconds: 0}, max_context_tokens: 2000000000,
                  single_turn_share: 0, min_turns: 3, max_turns: 1000}
)",
    R"(
model: {num_layers: 1000, hidden_size: 1000, num_attention_heads: 25, head_dim: 10000,
        intermediate_size: 1, vocab_size: 1}
workers:
  - hardware: {host_link: {bandwidth_bytes_per_second: 1000, latency_seconds: 1000}}
    compute: {affine: {iteration_seconds: 1us}}
memory: {kv_blocks: 25, block_size: 65536, host_memory_bytes: 1000000000000000}
local_scheduler: {policy: vllm_v0, preemption_mode: swap, max_model_len: 1000000000,
                  watermark: 0}
workload:
  num_requests: 6
  arrival: {burst: {size: 6}}
  lengths: {independent: {input: {fixed: 655350}, output: {fixed: 100000}}}
)",
    // Everything at the end of time.
    R"(
model: llama2-7b
workers: [{name: gpu, count: 3, initial_count: 2, hardware: a100-80g}]
workload:
  num_requests: 4
  arrival: {constant: {rate_per_second: 1e-9}}
  lengths: {independent: {input: {fixed: 4000}, output: {fixed: 20}}}
faults:
  events:
    - {at_seconds: 2e9, group: gpu, worker: 0, action: fail}
    - {at_seconds: 4e9, group: gpu, worker: 0, action: recover, start_delay_seconds: 4e9}
    - {at_seconds: 4e9, group: gpu, action: scale_up, count: 1, start_delay_seconds: 4e9}
slo: {ttft_seconds: 4e9, e2e_seconds: 4e9}
output: {snapshot_interval_seconds: 4e9}
)",
    // A model of 10^16 parameters: an iteration takes hours.
    R"(
model: {num_layers: 1000, hidden_size: 100000, num_attention_heads: 100, num_kv_heads: 1,
        head_dim: 65536, intermediate_size: 10000, vocab_size: 10000000,
        moe: {num_experts: 10000, experts_per_token: 10000}}
workers:
  - hardware: {preset: h100, memory_bytes: 1000000000000000}
    parallelism: {tensor: 1, data: 4, expert: 4}
    compute: {roofline: {}}
memory: {kv_blocks: 1000000000000, block_size: 65536}
local_scheduler: {max_model_len: 1000000, max_num_batched_tokens: 1000, max_num_seqs: 1000}
workload:
  num_requests: 20
  arrival: {uniform: {end_seconds: 4e9}}
  lengths: {independent: {input: {fixed: 1000}, output: {fixed: 10}}}
)"};

TEST(PrepareExtremesTest, WhatIsAcceptedRuns) {
  constexpr int kTries = 500;
  RandomMessages random(5, RandomMessages::Values::kLarge);
  int good = 0;
  for (int i = 0; i < kTries; ++i) {
    v1::Spec spec = ParseSpec(kLargest[static_cast<size_t>(i) % std::size(kLargest)]);
    const bool whole = i < static_cast<int>(std::size(kLargest));
    for (int edits = whole ? 0 : 1 + i % 4; edits > 0; --edits) random.Mutate(&spec);
    const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
    if (whole) {
      ASSERT_TRUE(prepared.ok()) << i << testing::PrintToString(Texts(prepared));
    }
    // More workers are only more of the same, and gigabytes of it.
    if (!prepared.ok() || prepared.plan->workers.size() > 100) continue;
    ++good;
    SilentObserver silent;
    for (Observer* observer : {static_cast<Observer*>(nullptr), static_cast<Observer*>(&silent)}) {
      Simulation simulation(prepared.plan, observer);
      const absl::Status status = simulation.Advance(300);
      ASSERT_TRUE(status.ok()) << status << "\n" << ToYaml(spec);
    }
  }
  EXPECT_GT(good, kTries / 10);
}

// An iteration takes eleven days: what does not fit into 126 years is cut off there.
TEST(PrepareExtremesTest, TimeDoesNotOverflow) {
  const PreparedSpec prepared =
      PrepareChanged({{"workers[0].compute", "{affine: {iteration_seconds: 1e6}}"},
                      {"workload.lengths.independent.output.fixed", "3900"},
                      {"workload.lengths.independent.input.fixed", "100"}});
  ASSERT_TRUE(prepared.ok()) << Texts(prepared).front();
  EXPECT_EQ(prepared.plan->max_simulated_time, int64_t{4'000'000'000} * kNanosPerSecond);
  Simulation simulation(prepared.plan);
  const absl::Status status = simulation.Advance(1'000'000);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(simulation.done());
  EXPECT_EQ(simulation.results().end_reason, EndReason::kMaxSimulatedTime);
  EXPECT_EQ(simulation.results().end_time, prepared.plan->max_simulated_time);
}

}  // namespace
}  // namespace tokensim
