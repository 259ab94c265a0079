// Every turn of a conversation goes to the worker that served the turn before and has its history
// in the cache. A first turn, and one whose worker is gone or above the load bound
// (load_bound.h), goes to the worker with the fewest requests, which is the conversation's from
// then on.
#include "engine/policy/global/load_bound.h"
#include "engine/policy/global/session_table.h"

namespace tokensim {
namespace {

class SessionAffinity final : public GlobalScheduler {
 public:
  explicit SessionAffinity(double load_factor) : load_factor_(load_factor) {}

  int32_t Dispatch(const DispatchView& view) override {
    const auto& outstanding = view.signals.outstanding;
    if (view.conversation < 0) return LeastCandidate(outstanding, view);
    int32_t worker = sessions_.Find(view.conversation);
    if (worker < 0 || !IsCandidate(worker, view) ||
        outstanding[static_cast<size_t>(worker)] >= LoadBound(view, load_factor_)) {
      worker = LeastCandidate(outstanding, view);
    }
    sessions_.Set(view.conversation, worker);
    return worker;
  }

 private:
  const double load_factor_;
  SessionTable sessions_;
};

constexpr Parameter kParameters[] = {LoadFactorParameter()};

}  // namespace

extern constinit const GlobalSchedulerEntry kSessionAffinityRouter = {
    {.name = "session_affinity",
     .description =
         "each conversation to the worker that served it; a first turn as least_requests",
     .parameters = kParameters},
    {},
    [](const ParameterValues& values) -> GlobalSchedulerFactory::Maker {
      return [factor = values.real(kLoadFactor)](const GlobalSchedulerContext&) {
        return std::make_unique<SessionAffinity>(factor);
      };
    }};

}  // namespace tokensim
