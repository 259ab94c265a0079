#include "engine/policy/evict/registry.h"

namespace tokensim {

// One line for each; its entry is in its own file.
#define TOKENSIM_EVICTIONS(ENTRY) \
  ENTRY(kLruEviction)             \
  ENTRY(kFifoEviction)

#define TOKENSIM_DECLARE(entry) extern const EvictionEntry entry;
TOKENSIM_EVICTIONS(TOKENSIM_DECLARE)
#undef TOKENSIM_DECLARE

const EvictionRegistry& Evictions() {
#define TOKENSIM_POINTER(entry) &entry,
  static constexpr const EvictionEntry* kEntries[] = {TOKENSIM_EVICTIONS(TOKENSIM_POINTER)};
#undef TOKENSIM_POINTER
  static constexpr EvictionRegistry kRegistry("eviction", kEntries);
  return kRegistry;
}

}  // namespace tokensim
