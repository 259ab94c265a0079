// vLLM's balancer of data-parallel ranks (v1/engine/core_client.py, DPLBAsyncMPClient): the rank
// with the least 4 waiting + running. Its counts are sent by the ranks every 100 ms
// (signal_delay_seconds: 100ms); in between it adds what it sent itself to the waiting.
#include <vector>

#include "engine/policy/global/global_scheduler.h"

namespace tokensim {
namespace {

class VllmDp final : public GlobalScheduler {
 public:
  int32_t Dispatch(const DispatchView& view) override {
    const WorkerSignals& signals = view.signals;
    if (signals.refreshes != refreshes_) {
      refreshes_ = signals.refreshes;
      sent_.assign(signals.waiting.size(), 0);
    }
    const auto score = [&](int32_t candidate) {
      const auto worker = static_cast<size_t>(candidate);
      // Outstanding are the waiting and the running.
      return int64_t{signals.outstanding[worker]} + 3 * int64_t{signals.waiting[worker]} +
             4 * int64_t{sent_[worker]};
    };
    int32_t best = view.candidates[0];
    for (const int32_t candidate : view.candidates) {
      if (score(candidate) < score(best)) best = candidate;
    }
    if (signals.refreshes > 0) ++sent_[static_cast<size_t>(best)];
    return best;
  }

 private:
  int64_t refreshes_ = -1;
  std::vector<int32_t> sent_;  // since the counts came; live counts have them already
};

}  // namespace

extern constinit const GlobalSchedulerEntry kVllmDpRouter = {
    {.name = "vllm_dp",
     .description =
         "the worker with the least 4 waiting + running, as vLLM among data-parallel ranks"},
    {},
    [](const ParameterValues& /*values*/) -> GlobalSchedulerFactory::Maker {
      return [](const GlobalSchedulerContext&) { return std::make_unique<VllmDp>(); };
    }};

}  // namespace tokensim
