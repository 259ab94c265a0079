#include "engine/policy/local/registry.h"

namespace tokensim {

// One line for each; its entry is in its own file.
#define TOKENSIM_LOCAL_SCHEDULERS(ENTRY) \
  ENTRY(kChunkedScheduler)               \
  ENTRY(kOrcaScheduler)                  \
  ENTRY(kStaticScheduler)                \
  ENTRY(kVllmV0Scheduler)

#define TOKENSIM_DECLARE(entry) extern const LocalSchedulerEntry entry;
TOKENSIM_LOCAL_SCHEDULERS(TOKENSIM_DECLARE)
#undef TOKENSIM_DECLARE

const LocalSchedulerRegistry& LocalSchedulers() {
#define TOKENSIM_POINTER(entry) &entry,
  static constexpr const LocalSchedulerEntry* kEntries[] = {
      TOKENSIM_LOCAL_SCHEDULERS(TOKENSIM_POINTER)};
#undef TOKENSIM_POINTER
  static constexpr LocalSchedulerRegistry kRegistry("local scheduler", kEntries);
  return kRegistry;
}

}  // namespace tokensim
