// Asks for memory before it is needed, so that it is in the cache by then. Changes no result.
//
//   PrefetchLines(&slab[handle], sizeof(LiveRequest));
#pragma once

#include <cstddef>

namespace tokensim {

// Every cache line of the `bytes` from `start` on, which may be any address.
inline void PrefetchLines(const void* start, size_t bytes) {
  constexpr size_t kLine = 64;
  const char* line = static_cast<const char*>(start);
  for (size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(line + i);
}

}  // namespace tokensim
