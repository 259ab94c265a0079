#include "engine/policy/victim/registry.h"

namespace tokensim {

// One line for each; its entry is in its own file.
#define TOKENSIM_VICTIMS(ENTRY) \
  ENTRY(kLastAdmittedVictim)    \
  ENTRY(kLowestPriorityVictim)

#define TOKENSIM_DECLARE(entry) extern const VictimEntry entry;
TOKENSIM_VICTIMS(TOKENSIM_DECLARE)
#undef TOKENSIM_DECLARE

const VictimRegistry& Victims() {
#define TOKENSIM_POINTER(entry) &entry,
  static constexpr const VictimEntry* kEntries[] = {TOKENSIM_VICTIMS(TOKENSIM_POINTER)};
#undef TOKENSIM_POINTER
  static constexpr VictimRegistry kRegistry("preemption victim", kEntries);
  return kRegistry;
}

}  // namespace tokensim
