// What a reader of a report should know before trusting its figures: rejections, early stops,
// saturation, preemptions, failures, links and roles that hold the run up. One sentence each, with
// the figures that support it.
#pragma once

#include <string>
#include <vector>

#include "engine/report/report.h"
#include "engine/run/results.h"

namespace tokensim {

// Requests come faster than they are served: what the note of that name says. It shows only in time,
// and not below 100 finished requests.
[[nodiscard]] bool IsSaturated(const Report& report, const Results& results);

// `report` is complete but for its notes.
[[nodiscard]] std::vector<std::string> MakeNotes(const Report& report, const Results& results);

}  // namespace tokensim
