#include "engine/compute/backend_registry.h"

namespace tokensim {

// One line for each; its entry is in its own file.
#define TOKENSIM_BACKENDS(ENTRY) \
  ENTRY(kRooflineBackend)        \
  ENTRY(kAffineBackend)          \
  ENTRY(kProfileBackend)         \
  ENTRY(kKernelsBackend)         \
  ENTRY(kTiledBackend)

#define TOKENSIM_DECLARE(entry) extern const BackendEntry entry;
TOKENSIM_BACKENDS(TOKENSIM_DECLARE)
#undef TOKENSIM_DECLARE

const BackendRegistry& Backends() {
#define TOKENSIM_POINTER(entry) &entry,
  static constexpr const BackendEntry* kEntries[] = {TOKENSIM_BACKENDS(TOKENSIM_POINTER)};
#undef TOKENSIM_POINTER
  static constexpr BackendRegistry kRegistry("compute backend", kEntries);
  return kRegistry;
}

}  // namespace tokensim
