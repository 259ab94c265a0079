// The request of the lowest class priority, of these the one that arrived last: vLLM's scheduling
// policy "priority" takes the maximum of (priority, arrival time).
#include "engine/worker/victim.h"

namespace tokensim {
namespace {

class LowestPriority final : public VictimPolicy {
 public:
  [[nodiscard]] bool IsWorse(const RunningRequest& request,
                             const RunningRequest& victim) const override {
    if (request.priority != victim.priority) return request.priority > victim.priority;
    return request.arrival > victim.arrival;
  }
};

}  // namespace

extern constinit const VictimEntry kLowestPriorityVictim = {
    {.name = "lowest_priority",
     .description = "the request of the lowest class priority, of these the last to arrive"},
    {.looks_at_all = true},
    [](const ParameterValues& /*values*/) -> VictimFactory::Maker {
      return [](const VictimContext&) { return std::make_unique<LowestPriority>(); };
    }};

}  // namespace tokensim
