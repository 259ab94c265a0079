// The values that a field takes in turn, as a user writes them.
//
//   ParseValues("1,2,4")        1 2 4            a list; commas within brackets and quotes are part
//   ParseValues("fcfs,sjf")     fcfs sjf         of a value
//   ParseValues("1..4")         1 2 3 4          whole numbers
//   ParseValues("0.5..2:0.5")   0.5 1 1.5 2      by a step
//   ParseValues("1..16:x4")     1 4 16           by a factor
//   ParseValues("1..100:log3")  1 10 100         so many, evenly spread on a logarithmic scale
//   ParseValues("0..1:lin3")    0 0.5 1          so many, evenly spread
//
// A list may hold ranges. Both ends of a range belong to it when the step meets them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tokensim::search {

// More values than that are refused.
inline constexpr size_t kMaxValues = 100'000;

// At least one. INVALID_ARGUMENT says what is wrong.
[[nodiscard]] absl::StatusOr<std::vector<std::string>> ParseValues(absl::string_view text);

// Splits at `separator` outside of (), [], {} and quotes; the parts are trimmed.
[[nodiscard]] std::vector<std::string> SplitOutsideBrackets(absl::string_view text, char separator);

// The shortest text of at most 12 significant digits: 0.3, not 0.30000000000000004.
[[nodiscard]] std::string NumberText(double value);

}  // namespace tokensim::search
