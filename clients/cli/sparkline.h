// A series as one line of characters.
#pragma once

#include <string>
#include <vector>

namespace tokensim::cli {

// Averages `values` into at most `width` columns; heights are relative to `top` (<= 0: the largest
// column). Block characters with `utf8`, else plain ones.
[[nodiscard]] std::string Sparkline(const std::vector<double>& values, size_t width, double top,
                                    bool utf8);

}  // namespace tokensim::cli
