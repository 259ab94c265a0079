#include "engine/policy/order/registry.h"

namespace tokensim {

// One line for each; its entry is in its own file.
#define TOKENSIM_QUEUE_ORDERS(ENTRY) \
  ENTRY(kFcfsOrder)                  \
  ENTRY(kSjfOrder)                   \
  ENTRY(kPriorityOrder)              \
  ENTRY(kEdfOrder)                   \
  ENTRY(kFairOrder)

#define TOKENSIM_DECLARE(entry) extern const QueueOrderEntry entry;
TOKENSIM_QUEUE_ORDERS(TOKENSIM_DECLARE)
#undef TOKENSIM_DECLARE

const QueueOrderRegistry& QueueOrders() {
#define TOKENSIM_POINTER(entry) &entry,
  static constexpr const QueueOrderEntry* kEntries[] = {TOKENSIM_QUEUE_ORDERS(TOKENSIM_POINTER)};
#undef TOKENSIM_POINTER
  static constexpr QueueOrderRegistry kRegistry("queue order", kEntries);
  return kRegistry;
}

}  // namespace tokensim
