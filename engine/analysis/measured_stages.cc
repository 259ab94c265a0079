#include "engine/analysis/measured_stages.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/analysis/measured_run.h"
#include "engine/base/rng.h"

namespace tokensim::accuracy {

namespace {

// Linear between the points, as the percentiles were computed.
double QuantileAt(const MeasuredStages& run, double probability) {
  const std::vector<double>& x = run.probabilities;
  const auto above = std::upper_bound(x.begin(), x.end(), probability);
  if (above == x.begin()) return run.prompt_tokens.front();
  if (above == x.end()) return run.prompt_tokens.back();
  const auto i = static_cast<size_t>(above - x.begin());
  const double share = (probability - x[i - 1]) / (x[i] - x[i - 1]);
  return run.prompt_tokens[i - 1] + share * (run.prompt_tokens[i] - run.prompt_tokens[i - 1]);
}

template <typename T>
void Shuffle(RngStream* rng, std::vector<T>* values) {
  for (size_t n = values->size(); n > 1; --n) std::swap((*values)[n - 1], (*values)[rng->Below(n)]);
}

std::vector<StagedPrompt> MakePrompts(const MeasuredStages& run, RngStream* rng) {
  const auto count = static_cast<size_t>(run.groups) * static_cast<size_t>(run.prompts_per_group);
  std::vector<StagedPrompt> prompts(count);
  for (size_t i = 0; i < count; ++i) {
    const double probability = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    prompts[i].tokens = static_cast<int32_t>(std::lround(QuantileAt(run, probability)));
  }
  Shuffle(rng, &prompts);  // so that lengths do not depend on the group
  const int32_t shared = run.system_prompt_tokens / kPromptBlockTokens;
  int64_t next_id = int64_t{run.groups} * shared;
  for (size_t i = 0; i < count; ++i) {
    const auto group = static_cast<int64_t>(i) / run.prompts_per_group;
    for (int32_t block = 0; block < prompts[i].tokens / kPromptBlockTokens; ++block) {
      prompts[i].block_ids.push_back(block < shared ? group * shared + block : next_id++);
    }
  }
  Shuffle(rng, &prompts);  // the order in which they are sent
  return prompts;
}

}  // namespace

StagedWorkload EffectiveWorkload(const MeasuredStages& run, uint64_t seed) {
  StagedWorkload sent;
  RngStream prompt_rng(seed, "prompt");
  RngStream arrival_rng(seed, "arrival");
  sent.prompts = MakePrompts(run, &prompt_rng);
  double start = 0;
  size_t number = 0;
  for (size_t s = 0; s < run.stages.size(); ++s) {
    const MeasuredStage& stage = run.stages[s];
    std::vector<double> times(static_cast<size_t>(stage.requests()));
    double sum = 0;
    for (double& time : times) time = sum += arrival_rng.Exponential(1);
    for (const double time : times) {
      sent.requests.push_back({FromSeconds(start + time / sum * stage.duration_seconds),
                               static_cast<int32_t>(s),
                               static_cast<int32_t>(number++ % sent.prompts.size())});
    }
    start += stage.duration_seconds + stage.longest_e2e_seconds;
  }
  const SimTime first = sent.requests.front().arrival;
  for (StagedRequest& request : sent.requests) request.arrival -= first;
  return sent;
}

}  // namespace tokensim::accuracy
