// The worker with the least of one signal: outstanding requests, used KV cache, work in tokens.
#include "engine/policy/global/candidates.h"

namespace tokensim {
namespace {

class LeastRequests final : public GlobalScheduler {
 public:
  int32_t Dispatch(const DispatchView& view) override {
    return LeastCandidate(view.signals.outstanding, view);
  }
};

class LeastWork final : public GlobalScheduler {
 public:
  int32_t Dispatch(const DispatchView& view) override { return LeastCandidate(view.work(), view); }
};

class LeastKv final : public GlobalScheduler {
 public:
  int32_t Dispatch(const DispatchView& view) override {
    const auto& used = view.signals.kv_used;
    const auto& total = view.signals.kv_total;
    // Among workers of one size the smallest share is the smallest number.
    if (AllWorkers(view) && AllEqual(total)) return LeastCandidate(used, view);
    auto best = static_cast<size_t>(view.candidates[0]);
    for (const int32_t candidate : view.candidates) {
      const auto worker = static_cast<size_t>(candidate);
      if (total[worker] == total[best]
              ? used[worker] < used[best]
              : Product(used[worker], total[best]) < Product(used[best], total[worker])) {
        best = worker;
      }
    }
    return static_cast<int32_t>(best);
  }

 private:
  static bool AllEqual(const std::vector<int64_t>& values) {
    int64_t differences = 0;
    for (const int64_t value : values) differences |= value ^ values[0];
    return differences == 0;
  }
  // a/b < c/d as a*d < c*b: exact.
  static __int128 Product(int64_t a, int64_t b) { return static_cast<__int128>(a) * b; }
};

}  // namespace

extern constinit const GlobalSchedulerEntry kLeastRequestsRouter = {
    {.name = "least_requests",
     .description =
         "the worker with the fewest requests sent there and not finished; ties: the first"},
    {},
    [](const ParameterValues& /*values*/) -> GlobalSchedulerFactory::Maker {
      return [](const GlobalSchedulerContext&) { return std::make_unique<LeastRequests>(); };
    }};

extern constinit const GlobalSchedulerEntry kLeastKvRouter = {
    {.name = "least_kv",
     .description = "the worker with the smallest used share of its KV blocks; ties: the first"},
    {},
    [](const ParameterValues& /*values*/) -> GlobalSchedulerFactory::Maker {
      return [](const GlobalSchedulerContext&) { return std::make_unique<LeastKv>(); };
    }};

extern constinit const GlobalSchedulerEntry kLeastWorkRouter = {
    {.name = "least_work",
     .description = "the worker with the fewest prompt tokens sent there and not yet computed; "
                    "after a prefill, with the fewest KV tokens; ties: the first"},
    {},
    [](const ParameterValues& /*values*/) -> GlobalSchedulerFactory::Maker {
      return [](const GlobalSchedulerContext&) { return std::make_unique<LeastWork>(); };
    }};

}  // namespace tokensim
