// First come, first served: what vLLM does by default.
#include "engine/worker/queue_order.h"

namespace tokensim {

extern constinit const QueueOrderEntry kFcfsOrder = {
    {.name = "fcfs", .description = "first come, first served"},
    {.queue = QueueKind::kArrival},
    [](const ParameterValues& /*values*/) -> QueueOrderFactory::Maker {
      return [](const QueueOrderContext&) { return std::make_unique<QueueOrder>(); };
    }};

}  // namespace tokensim
