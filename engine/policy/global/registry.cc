#include "engine/policy/global/registry.h"

namespace tokensim {

// One line for each; its entry is in its own file.
#define TOKENSIM_GLOBAL_SCHEDULERS(ENTRY) \
  ENTRY(kRoundRobinRouter)                \
  ENTRY(kRandomRouter)                    \
  ENTRY(kLeastRequestsRouter)             \
  ENTRY(kLeastKvRouter)                   \
  ENTRY(kLeastWorkRouter)                 \
  ENTRY(kPowerOfTwoRouter)                \
  ENTRY(kPrefixAffinityRouter)            \
  ENTRY(kSessionAffinityRouter)           \
  ENTRY(kWeightedRouter)                  \
  ENTRY(kVllmDpRouter)

#define TOKENSIM_DECLARE(entry) extern const GlobalSchedulerEntry entry;
TOKENSIM_GLOBAL_SCHEDULERS(TOKENSIM_DECLARE)
#undef TOKENSIM_DECLARE

const GlobalSchedulerRegistry& GlobalSchedulers() {
#define TOKENSIM_POINTER(entry) &entry,
  static constexpr const GlobalSchedulerEntry* kEntries[] = {
      TOKENSIM_GLOBAL_SCHEDULERS(TOKENSIM_POINTER)};
#undef TOKENSIM_POINTER
  static constexpr GlobalSchedulerRegistry kRegistry("global scheduler", kEntries);
  return kRegistry;
}

}  // namespace tokensim
