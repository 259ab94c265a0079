#include "engine/workload/length_registry.h"

namespace tokensim {

// One line for each; its entry is in its own file.
#define TOKENSIM_LENGTH_DISTRIBUTIONS(ENTRY) \
  ENTRY(kFixedLength)                        \
  ENTRY(kUniformLength)                      \
  ENTRY(kLogNormalLength)                    \
  ENTRY(kPoissonLength)                      \
  ENTRY(kQuantileLength)

#define TOKENSIM_LENGTH_SOURCES(ENTRY) \
  ENTRY(kIndependentLengths)           \
  ENTRY(kJointLengths)                 \
  ENTRY(kTraceLengths)

#define TOKENSIM_DECLARE(entry) extern const LengthSamplerEntry entry;
TOKENSIM_LENGTH_DISTRIBUTIONS(TOKENSIM_DECLARE)
#undef TOKENSIM_DECLARE
#define TOKENSIM_DECLARE(entry) extern const LengthSourceEntry entry;
TOKENSIM_LENGTH_SOURCES(TOKENSIM_DECLARE)
#undef TOKENSIM_DECLARE

#define TOKENSIM_POINTER(entry) &entry,

const LengthSamplerRegistry& LengthDistributions() {
  static constexpr const LengthSamplerEntry* kEntries[] = {
      TOKENSIM_LENGTH_DISTRIBUTIONS(TOKENSIM_POINTER)};
  static constexpr LengthSamplerRegistry kRegistry("length distribution", kEntries);
  return kRegistry;
}

const LengthSourceRegistry& LengthSources() {
  static constexpr const LengthSourceEntry* kEntries[] = {
      TOKENSIM_LENGTH_SOURCES(TOKENSIM_POINTER)};
  static constexpr LengthSourceRegistry kRegistry("length source", kEntries);
  return kRegistry;
}

#undef TOKENSIM_POINTER

}  // namespace tokensim
