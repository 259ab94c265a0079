// The shape of the Weibull distribution with a coefficient of variation.
#pragma once

namespace tokensim {

// `cv`: 0.01 .. 100.
[[nodiscard]] double WeibullShape(double cv);

}  // namespace tokensim
