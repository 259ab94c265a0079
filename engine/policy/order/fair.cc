// The class that was charged the least service goes first: Virtual Token Counter (Sheng et al.,
// "Fairness in Serving Large Language Models", OSDI 2024). engine/worker/waiting_queue.h has the
// counters.
#include "engine/worker/queue_order.h"

namespace tokensim {

extern constinit const QueueOrderEntry kFairOrder = {
    {.name = "fair", .description = "the class that got the fewest tokens first (VTC)"},
    {.queue = QueueKind::kFair},
    [](const ParameterValues& /*values*/) -> QueueOrderFactory::Maker {
      return [](const QueueOrderContext&) { return std::make_unique<QueueOrder>(); };
    }};

}  // namespace tokensim
