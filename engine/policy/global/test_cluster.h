// A cluster as the policies see it, for their tests.
#pragma once

#include <memory>
#include <numeric>
#include <string_view>
#include <vector>

#include "engine/policy/global/registry.h"

namespace tokensim {

struct TestRequest {
  int32_t input_tokens = 100;
  int64_t conversation = -1;
  uint64_t prefix_key = 0;
  const PrefixProbe* prefix = nullptr;
  bool transfer = false;
};

// Of `workers` idle workers with 100 KV blocks each, all candidates.
class TestCluster {
 public:
  explicit TestCluster(size_t workers) : candidates(workers) {
    signals.Resize(workers);
    signals.kv_total.assign(workers, 100);
    std::iota(candidates.begin(), candidates.end(), 0);
  }

  int32_t Dispatch(GlobalScheduler& scheduler, const TestRequest& r = {}) const {
    return scheduler.Dispatch({.signals = signals,
                               .candidates = candidates,
                               .input_tokens = r.input_tokens,
                               .transfer = r.transfer,
                               .conversation = r.conversation,
                               .prefix_key = r.prefix_key,
                               .prefix = r.prefix});
  }
  // Dispatches and counts the request as outstanding.
  int32_t Send(GlobalScheduler& scheduler, const TestRequest& r = {}) {
    const int32_t worker = Dispatch(scheduler, r);
    ++signals.outstanding[static_cast<size_t>(worker)];
    return worker;
  }

  WorkerSignals signals;
  std::vector<int32_t> candidates;
};

inline std::unique_ptr<GlobalScheduler> Make(std::string_view policy,
                                             const NamedValues& values = {}) {
  return GlobalSchedulers().Make(policy, values)->Make({.seed = 7});
}

}  // namespace tokensim
