// A load test of a real engine that left aggregates only: stages of a constant rate, and the
// percentiles measured in each.
//
//   StagedWorkload sent = EffectiveWorkload(run, seed);
//
// It comes from a load generator like inference-perf, which makes num_groups x num_prompts_per_group prompts, those of a group with the same system prompt,
// and cycles through them in a shuffled, fixed order. So from the second round on every prompt is
// in the prefix cache but for its last, partial block. A stage sends int(rate x duration) requests,
// whose exponential gaps are scaled to fill the duration, and ends when the last answer is there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/time.h"

namespace tokensim::accuracy {

// Mean and percentiles, in seconds; those that the document has.
struct MeasuredLatency {
  std::optional<double> mean;
  std::optional<double> p50;
  std::optional<double> p90;
};

struct MeasuredStage {
  double rate = 0;  // offered, requests per second
  double duration_seconds = 0;
  int64_t finished = 0;
  int64_t failed = 0;  // clients that gave up
  MeasuredLatency ttft;
  MeasuredLatency e2e;
  double longest_e2e_seconds = 0;  // 0: not known
  std::optional<double> tpot_mean_seconds;
  std::optional<double> requests_per_second;  // finished, over the time to the last answer

  [[nodiscard]] int64_t requests() const { return static_cast<int64_t>(rate * duration_seconds); }
};

struct MeasuredStages {
  std::string name;
  std::vector<MeasuredStage> stages;  // not empty
  int32_t groups = 1;
  int32_t prompts_per_group = 1;
  int32_t system_prompt_tokens = 0;
  int32_t output_tokens = 1;
  // Of the prompts as the engine saw them, at these probabilities, both ascending.
  std::vector<double> probabilities;
  std::vector<double> prompt_tokens;
  // Settings of the server, where the document has them.
  std::optional<int64_t> max_num_seqs;
  std::optional<int64_t> max_num_batched_tokens;
  std::optional<int64_t> max_model_len;
  std::optional<int64_t> kv_block_size;
  std::optional<int64_t> total_kv_blocks;
  std::optional<int64_t> tensor_parallel;
};

// The requests of such a run in order of arrival.
struct StagedRequest {
  SimTime arrival = 0;  // from the first
  int32_t stage = 0;
  int32_t prompt = 0;  // index in StagedWorkload.prompts
};
struct StagedPrompt {
  int32_t tokens = 1;
  std::vector<int64_t> block_ids;  // of its full blocks of kPromptBlockTokens
};
struct StagedWorkload {
  std::vector<StagedPrompt> prompts;
  std::vector<StagedRequest> requests;
};

// What the load generator sent. It draws without a seed; here the seed decides the gaps and the
// order of the prompts. Prompt lengths are the measured quantiles. The longest measured E2E latency
// of a stage stands for its end, after its last request.
[[nodiscard]] StagedWorkload EffectiveWorkload(const MeasuredStages& run, uint64_t seed);

}  // namespace tokensim::accuracy
