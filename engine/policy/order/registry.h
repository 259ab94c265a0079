// The orders of a worker's waiting queue by name.
//
//   plan.workers[0].scheduler.queue_order = QueueOrders().Make("sjf");
#pragma once

#include "engine/worker/queue_order.h"

namespace tokensim {

[[nodiscard]] const QueueOrderRegistry& QueueOrders();

}  // namespace tokensim
