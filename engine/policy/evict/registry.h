// The evictions of the memory pool by name.
//
//   plan.memory_pool->eviction = Evictions().Make("fifo");
#pragma once

#include "engine/memory/eviction.h"

namespace tokensim {

[[nodiscard]] const EvictionRegistry& Evictions();

}  // namespace tokensim
