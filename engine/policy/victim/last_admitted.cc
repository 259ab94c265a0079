// The last admitted request: vLLM pops the tail of its running set.
#include "engine/worker/victim.h"

namespace tokensim {
namespace {

class LastAdmitted final : public VictimPolicy {
 public:
  [[nodiscard]] bool IsWorse(const RunningRequest& /*request*/,
                             const RunningRequest& /*victim*/) const override {
    return false;
  }
};

}  // namespace

extern constinit const VictimEntry kLastAdmittedVictim = {
    {.name = "last_admitted", .description = "the request that was admitted last"},
    {.looks_at_all = false},
    [](const ParameterValues& /*values*/) -> VictimFactory::Maker {
      return [](const VictimContext&) { return std::make_unique<LastAdmitted>(); };
    }};

}  // namespace tokensim
