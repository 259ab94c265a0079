// A Simulation for people.
#pragma once

#include <iosfwd>
#include <string>

#include "tokensim/v1/simulation.pb.h"

namespace tokensim::cli {

[[nodiscard]] std::string LabelsText(const v1::Simulation& simulation);  // "a=1,b=2", by key

// One line per field that is set.
void WriteSimulation(const v1::Simulation& simulation, std::ostream& out);

}  // namespace tokensim::cli
