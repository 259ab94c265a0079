// What a simulation is compared with, of either kind.
#pragma once

#include <string>
#include <variant>

#include "engine/analysis/measured_run.h"
#include "engine/analysis/measured_stages.h"

namespace tokensim::accuracy {

using Truth = std::variant<MeasuredRun, MeasuredStages>;

[[nodiscard]] inline const std::string& NameOf(const Truth& truth) {
  return std::visit([](const auto& run) -> const std::string& { return run.name; }, truth);
}

}  // namespace tokensim::accuracy
