// The worker with the greatest sum of weight x score, each score in 0 .. 1:
//
//   queue_depth   1 - waiting / largest waiting of the candidates
//   kv_use        1 - KV blocks used / KV blocks
//   prefix_hit    tokens of the prompt in the worker's prefix cache / tokens of the prompt
//   load          1 - work in tokens / largest of the candidates
//
// The scorers of the Kubernetes Gateway API Inference Extension and llm-d.
#include <algorithm>

#include "engine/policy/global/global_scheduler.h"

namespace tokensim {
namespace {

struct ScorerWeights {
  double queue_depth = 1;
  double kv_use = 1;
  double prefix_hit = 1;
  double load = 1;
};

class Weighted final : public GlobalScheduler {
 public:
  explicit Weighted(const ScorerWeights& weights) : weights_(weights) {}

  int32_t Dispatch(const DispatchView& view) override {
    const WorkerSignals& signals = view.signals;
    const double per_waiting = weights_.queue_depth / Largest(signals.waiting, view);
    const double per_token = weights_.load / Largest(view.work(), view);
    const bool hits = view.prefix != nullptr && weights_.prefix_hit > 0;
    const double per_hit = weights_.prefix_hit / std::max(view.input_tokens, 1);
    int32_t best = view.candidates[0];
    double best_score = 0;
    for (const int32_t candidate : view.candidates) {
      const auto worker = static_cast<size_t>(candidate);
      const auto used = static_cast<double>(signals.kv_used[worker]);
      const auto total = static_cast<double>(signals.kv_total[worker]);
      // Without the 1 of each score, which is the same for every worker.
      double score = -per_waiting * signals.waiting[worker];
      score -= per_token * static_cast<double>(view.work()[worker]);
      score -= weights_.kv_use * (used / std::max(total, 1.0));
      if (hits) score += per_hit * view.prefix->HitTokens(candidate);
      if (candidate == view.candidates[0] || score > best_score) {
        best = candidate;
        best_score = score;
      }
    }
    return best;
  }

 private:
  // At least 1: when nothing waits every score is 1.
  template <typename T>
  static double Largest(const std::vector<T>& signal, const DispatchView& view) {
    T largest = 1;
    for (const int32_t worker : view.candidates) {
      largest = std::max(largest, signal[static_cast<size_t>(worker)]);
    }
    return static_cast<double>(largest);
  }

  const ScorerWeights weights_;
};

constexpr ParameterRange kWeight = {.min = 0, .max = 1e6};
constexpr Parameter kParameters[] = {
    RealParameter("weights.queue_depth", 1, kWeight, "of 1 - waiting / largest waiting"),
    RealParameter("weights.kv_use", 1, kWeight, "of the free share of the KV blocks"),
    RealParameter("weights.prefix_hit", 1, kWeight, "of the share of the prompt that is cached"),
    RealParameter("weights.load", 1, kWeight, "of 1 - outstanding tokens / largest")};

ScorerWeights WeightsOf(const ParameterValues& values) {
  return {.queue_depth = values.real("weights.queue_depth"),
          .kv_use = values.real("weights.kv_use"),
          .prefix_hit = values.real("weights.prefix_hit"),
          .load = values.real("weights.load")};
}

std::optional<ParameterProblem> CheckWeights(const ParameterValues& values) {
  const ScorerWeights w = WeightsOf(values);
  if (w.queue_depth + w.kv_use + w.prefix_hit + w.load > 0) return std::nullopt;
  return ParameterProblem{"weights", "are all 0; at least one must be above 0"};
}

}  // namespace

extern constinit const GlobalSchedulerEntry kWeightedRouter = {
    {.name = "weighted",
     .description =
         "the worker with the greatest weighted sum of scores: queue, KV cache, prefix hit, load",
     .parameters = kParameters},
    {},
    [](const ParameterValues& values) -> GlobalSchedulerFactory::Maker {
      return [weights = WeightsOf(values)](const GlobalSchedulerContext&) {
        return std::make_unique<Weighted>(weights);
      };
    },
    CheckWeights};

}  // namespace tokensim
