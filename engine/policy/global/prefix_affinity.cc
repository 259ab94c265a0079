// Prompts that begin alike go to one worker, which has their prefix in its cache: consistent
// hashing with bounded loads (Mirrokni et al., SODA 2018; load_bound.h).
//
// Every key has its own fixed order of all the workers of the cluster, and goes to the first that
// is a candidate below the load bound. So whatever the set of candidates, a worker that leaves
// moves only the keys it had, and one that joins takes keys but moves none between the others.
// The order is pseudo-random (the random jumps of Chen, Coleman, Shrivastava, "Revisiting
// Consistent Hashing with Bounded Loads", AAAI 2021), so the keys of a worker that is full or gone
// spread over all others instead of falling on a neighbour. No table: one hash for each jump, on
// average as many jumps as there are workers for each one that is eligible. After kJumps the order
// goes on by index, which ends the search when few workers are eligible.
#include <algorithm>

#include "engine/policy/global/load_bound.h"

namespace tokensim {
namespace {

constexpr int kJumps = 64;

// The finalizer of splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

class PrefixAffinity final : public GlobalScheduler {
 public:
  explicit PrefixAffinity(double load_factor) : load_factor_(load_factor) {}

  int32_t Dispatch(const DispatchView& view) override {
    const auto& outstanding = view.signals.outstanding;
    if (view.prefix_key == 0) return LeastCandidate(outstanding, view);
    const int32_t bound = LoadBound(view, load_factor_);
    uint64_t state = view.prefix_key;
    int32_t worker = 0;
    for (int i = 0; i < kJumps; ++i) {
      state += 0x9e3779b97f4a7c15ULL;
      worker = Below(Mix(state), outstanding.size());
      if (outstanding[static_cast<size_t>(worker)] < bound && IsCandidate(worker, view)) {
        return worker;
      }
    }
    return NextByIndex(view, worker, bound);
  }

 private:
  // x scaled from [0, 2^64) to [0, n).
  static int32_t Below(uint64_t x, uint64_t n) {
    return static_cast<int32_t>((static_cast<unsigned __int128>(x) * n) >> 64);
  }
  // The first eligible candidate at or after `worker`, in a circle.
  static int32_t NextByIndex(const DispatchView& view, int32_t worker, int32_t bound) {
    const auto& workers = view.candidates;
    const auto begin = std::lower_bound(workers.begin(), workers.end(), worker);
    const auto eligible = [&](int32_t w) {
      return view.signals.outstanding[static_cast<size_t>(w)] < bound;
    };
    const auto after = std::find_if(begin, workers.end(), eligible);
    return after != workers.end() ? *after : *std::find_if(workers.begin(), begin, eligible);
  }

  const double load_factor_;
};

constexpr Parameter kParameters[] = {LoadFactorParameter()};

}  // namespace

extern constinit const GlobalSchedulerEntry kPrefixAffinityRouter = {
    {.name = "prefix_affinity",
     .description =
         "prompts that begin alike to one worker, by consistent hashing with bounded loads",
     .parameters = kParameters},
    {},
    [](const ParameterValues& values) -> GlobalSchedulerFactory::Maker {
      return [factor = values.real(kLoadFactor)](const GlobalSchedulerContext&) {
        return std::make_unique<PrefixAffinity>(factor);
      };
    }};

}  // namespace tokensim
