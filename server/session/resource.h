// Stored records as the API shows them.
#pragma once

#include <string>

#include "server/store/store.h"

namespace tokensim {

enum class ResourceView {
  kBasic,     // without spec and report, as in lists and watches
  kStandard,  // with both; the report without timelines, the spec without a long trace
  kFull,      // with a long trace, too
};

// Traces of more rows than this are long.
inline constexpr int64_t kMaxRowsShown = 1'000;

// `live`: the progress of the run, if it runs.
[[nodiscard]] v1::Simulation ToResource(const SimulationRecord& record, const v1::Progress* live,
                                        ResourceView view);
[[nodiscard]] std::string Etag(const SimulationRecord& record);

}  // namespace tokensim
