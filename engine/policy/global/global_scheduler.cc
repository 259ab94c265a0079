#include "engine/policy/global/global_scheduler.h"

#include "engine/policy/global/schedulers.h"

namespace tokensim {
namespace {

struct Registration {
  GlobalPolicyInfo info;
  GlobalSchedulerPtr (*make)(const GlobalSchedulerConfig& config);
};

constexpr Registration kRegistry[] = {
    {{GlobalPolicy::kRoundRobin, "round_robin", "each worker in turn"}, MakeRoundRobin},
    {{GlobalPolicy::kRandom, "random", "any worker, all equally likely"}, MakeRandom},
    {{GlobalPolicy::kLeastRequests, "least_requests",
      "the worker with the fewest requests sent there and not finished; ties: the first"},
     MakeLeastRequests},
    {{GlobalPolicy::kLeastKv, "least_kv",
      "the worker with the smallest used share of its KV blocks; ties: the first"},
     MakeLeastKv},
    {{GlobalPolicy::kLeastWork, "least_work",
      "the worker with the fewest prompt tokens sent there and not yet computed; after a prefill, "
      "with the fewest KV tokens; ties: the first"},
     MakeLeastWork},
    {{GlobalPolicy::kPowerOfTwo, "power_of_two",
      "of two random workers the one with fewer requests"},
     MakePowerOfTwo},
    {{GlobalPolicy::kPrefixAffinity, "prefix_affinity",
      "prompts that begin alike to one worker, by consistent hashing with bounded loads"},
     MakePrefixAffinity},
    {{GlobalPolicy::kSessionAffinity, "session_affinity",
      "each conversation to the worker that served it; a first turn as least_requests"},
     MakeSessionAffinity},
    {{GlobalPolicy::kWeighted, "weighted",
      "the worker with the greatest weighted sum of scores: queue, KV cache, prefix hit, load"},
     MakeWeighted},
    {{GlobalPolicy::kVllmDp, "vllm_dp",
      "the worker with the least 4 waiting + running, as vLLM among data-parallel ranks"},
     MakeVllmDp},
};

}  // namespace

const std::vector<GlobalPolicyInfo>& GlobalSchedulers() {
  static const std::vector<GlobalPolicyInfo> kSchedulers = [] {
    std::vector<GlobalPolicyInfo> infos;
    for (const Registration& entry : kRegistry) infos.push_back(entry.info);
    return infos;
  }();
  return kSchedulers;
}

GlobalSchedulerPtr MakeGlobalScheduler(const GlobalSchedulerConfig& config) {
  for (const Registration& entry : kRegistry) {
    if (entry.info.policy == config.policy) return entry.make(config);
  }
  return MakeRoundRobin(config);
}

}  // namespace tokensim
