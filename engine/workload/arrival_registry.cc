#include "engine/workload/arrival_registry.h"

namespace tokensim {

// One line for each; its entry is in its own file.
#define TOKENSIM_ARRIVALS(ENTRY) \
  ENTRY(kPoissonArrivals)        \
  ENTRY(kConstantArrivals)       \
  ENTRY(kUniformArrivals)        \
  ENTRY(kBurstArrivals)          \
  ENTRY(kGammaArrivals)          \
  ENTRY(kWeibullArrivals)        \
  ENTRY(kPiecewiseArrivals)      \
  ENTRY(kClosedLoopArrivals)     \
  ENTRY(kTraceArrivals)

#define TOKENSIM_DECLARE(entry) extern const ArrivalEntry entry;
TOKENSIM_ARRIVALS(TOKENSIM_DECLARE)
#undef TOKENSIM_DECLARE

const ArrivalRegistry& ArrivalProcesses() {
#define TOKENSIM_POINTER(entry) &entry,
  static constexpr const ArrivalEntry* kEntries[] = {TOKENSIM_ARRIVALS(TOKENSIM_POINTER)};
#undef TOKENSIM_POINTER
  static constexpr ArrivalRegistry kRegistry("arrival process", kEntries);
  return kRegistry;
}

}  // namespace tokensim
