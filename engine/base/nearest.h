// Suggestions for misspelt names: "did you mean ...?".
//
//   message += DidYouMean("worker", {"model", "workers"});   // "; did you mean workers?"
//
// Thread-safety: functions without state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tokensim {

// Up to `limit` candidates close to `word` (edit distance with transpositions, ignoring case and
// the difference of - and _; or one containing the other), nearest first.
[[nodiscard]] std::vector<std::string> NearestNames(std::string_view word,
                                                    const std::vector<std::string>& candidates,
                                                    size_t limit = 1);

// "; did you mean a or b?", or "" when nothing is close.
[[nodiscard]] std::string DidYouMean(std::string_view word,
                                     const std::vector<std::string>& candidates, size_t limit = 1);

// Text of a user for a message: at most 60 bytes, cut between characters, in single quotes.
[[nodiscard]] std::string Quote(std::string_view text);

}  // namespace tokensim
