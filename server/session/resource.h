// Stored records as the API shows them.
#pragma once

#include <string>

#include "engine/run/plan.h"
#include "engine/run/results.h"
#include "server/store/store.h"

namespace tokensim {

enum class ResourceView {
  kFull,   // with spec and report (its timelines left out)
  kBasic,  // without them, as in lists
};

// `live`: the progress of the run, if it runs.
[[nodiscard]] v1::Simulation ToResource(const SimulationRecord& record, const v1::Progress* live,
                                        ResourceView view);
[[nodiscard]] std::string Etag(const SimulationRecord& record);
[[nodiscard]] v1::Progress ToProto(const Progress& progress, const Plan& plan);

}  // namespace tokensim
