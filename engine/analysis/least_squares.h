// Least squares between bounds, for functions that are known only by their values.
//
//   LeastSquaresResult best = MinimizeSquares(variables, [&](std::span<const double> x) {
//     return residuals;        // as many every time
//   });
//
// Levenberg-Marquardt (Marquardt, SIAM J. Appl. Math. 11, 1963) with slopes from differences of a
// stated width: four times that, to see past the jumps of a discrete-event simulation, and half as
// wide whenever no step helps any more, down to half of it. A variable at a bound that the slope
// pushes against stays there. It follows narrow valleys, as of two constants that nearly do the
// same, in which searches along the axes crawl; and it costs one evaluation per variable and step.
// Deterministic.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace tokensim::accuracy {

struct FitVariable {
  double start = 0;
  double min = 0;
  double max = 1;
  double width = 0.01;  // of the differences, > 0
};

struct LeastSquaresResult {
  std::vector<double> x;
  double sum_of_squares = 0;
  int evaluations = 0;
};

using Residuals = std::function<std::vector<double>(std::span<const double>)>;

// `residuals` must be finite. At most `max_evaluations` of them are computed, give or take one
// round.
[[nodiscard]] LeastSquaresResult MinimizeSquares(std::span<const FitVariable> variables,
                                                 const Residuals& residuals,
                                                 int max_evaluations = 500);

}  // namespace tokensim::accuracy
