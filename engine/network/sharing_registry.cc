#include "engine/network/sharing_registry.h"

namespace tokensim {

// One line for each; its entry is in its own file.
#define TOKENSIM_SHARING_RULES(ENTRY) \
  ENTRY(kFairSharing)                 \
  ENTRY(kFifoSharing)

#define TOKENSIM_DECLARE(entry) extern const SharingRuleEntry entry;
TOKENSIM_SHARING_RULES(TOKENSIM_DECLARE)
#undef TOKENSIM_DECLARE

const SharingRuleRegistry& SharingRules() {
#define TOKENSIM_POINTER(entry) &entry,
  static constexpr const SharingRuleEntry* kEntries[] = {TOKENSIM_SHARING_RULES(TOKENSIM_POINTER)};
#undef TOKENSIM_POINTER
  static constexpr SharingRuleRegistry kRegistry("sharing rule", kEntries);
  return kRegistry;
}

}  // namespace tokensim
