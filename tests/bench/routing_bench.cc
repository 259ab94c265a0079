// Time of one Dispatch of every global policy over 64 and 1,000 workers with 8 requests each; the
// request sent longest ago finishes as the next one comes. `half`: every other worker may be
// chosen.
//
//   build/release/test/routing_bench
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "engine/base/rng.h"
#include "engine/policy/global/registry.h"

namespace tokensim {
namespace {

class SomeHits final : public PrefixProbe {
 public:
  [[nodiscard]] int32_t HitTokens(int32_t worker) const override { return worker % 512; }
};

class Cluster {
 public:
  Cluster(int workers, int stride) : in_flight_(static_cast<size_t>(8 * workers / stride)) {
    signals_.Resize(static_cast<size_t>(workers));
    signals_.kv_total.assign(static_cast<size_t>(workers), 10'000);
    for (int w = 0; w < workers; w += stride) candidates_.push_back(w);
    RngStream rng(1, "bench");
    for (size_t i = 0; i < in_flight_.size(); ++i) {
      in_flight_[i] = candidates_[i % candidates_.size()];
      Count(in_flight_[i], 1);
    }
    for (Prompt& prompt : prompts_) {
      prompt = {static_cast<int64_t>(rng.Below(200)), 1 + rng.Below(20)};
    }
  }

  int32_t DispatchOne(GlobalScheduler& scheduler) {
    const Prompt& prompt = prompts_[next_ % kPrompts];
    int32_t& slot = in_flight_[next_ % in_flight_.size()];
    ++next_;
    Count(slot, -1);
    slot = scheduler.Dispatch({.signals = signals_,
                               .candidates = candidates_,
                               .input_tokens = 512,
                               .conversation = prompt.conversation,
                               .prefix_key = prompt.prefix_key,
                               .prefix = &hits_});
    Count(slot, 1);
    return slot;
  }

 private:
  struct Prompt {
    int64_t conversation;
    uint64_t prefix_key;
  };
  static constexpr size_t kPrompts = 1'024;

  void Count(int32_t worker, int32_t requests) {
    const auto w = static_cast<size_t>(worker);
    signals_.outstanding[w] += requests;
    signals_.waiting[w] += requests;
    signals_.outstanding_tokens[w] += requests * 512;
    signals_.kv_used[w] += requests * 32;
  }

  WorkerSignals signals_;
  std::vector<int32_t> candidates_;
  std::vector<int32_t> in_flight_;  // worker of each, a ring
  Prompt prompts_[kPrompts];
  SomeHits hits_;
  size_t next_ = 0;
};

void Dispatch(benchmark::State& state, const GlobalSchedulerEntry* policy, int workers,
              int stride) {
  const auto scheduler = GlobalSchedulers().Make(policy->name)->Make({.seed = 1});
  Cluster cluster(workers, stride);
  for (auto _ : state) benchmark::DoNotOptimize(cluster.DispatchOne(*scheduler));
}

void RegisterAll() {
  for (const GlobalSchedulerEntry* policy : GlobalSchedulers().entries()) {
    for (const int workers : {64, 1'000}) {
      const std::string name = std::string(policy->name) + "/" + std::to_string(workers);
      benchmark::RegisterBenchmark(name.c_str(), Dispatch, policy, workers, 1);
      benchmark::RegisterBenchmark((name + "/half").c_str(), Dispatch, policy, workers, 2);
    }
  }
}

}  // namespace
}  // namespace tokensim

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  tokensim::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
