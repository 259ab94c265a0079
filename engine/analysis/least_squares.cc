#include "engine/analysis/least_squares.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tokensim::accuracy {

namespace {

using Vector = std::vector<double>;
using Matrix = std::vector<Vector>;

constexpr double kScales[] = {4, 2, 1, 0.5};  // of the widths of differences
constexpr double kLeastGain = 1e-3;  // a step that gains a smaller share is the last of its width
constexpr double kFirstDamping = 1e-6;
constexpr double kMostDamping = 1e3;

double SumOfSquares(const Vector& v) {
  double sum = 0;
  for (const double value : v) sum += value * value;
  return sum;
}

// Solves a x = b with partial pivoting; a is positive definite.
Vector Solve(Matrix a, Vector b) {
  const size_t n = b.size();
  for (size_t column = 0; column < n; ++column) {
    size_t pivot = column;
    for (size_t row = column + 1; row < n; ++row) {
      if (std::abs(a[row][column]) > std::abs(a[pivot][column])) pivot = row;
    }
    std::swap(a[column], a[pivot]);
    std::swap(b[column], b[pivot]);
    if (a[column][column] == 0) continue;
    for (size_t row = column + 1; row < n; ++row) {
      const double factor = a[row][column] / a[column][column];
      for (size_t k = column; k < n; ++k) a[row][k] -= factor * a[column][k];
      b[row] -= factor * b[column];
    }
  }
  Vector x(n, 0);
  for (size_t row = n; row-- > 0;) {
    double sum = b[row];
    for (size_t k = row + 1; k < n; ++k) sum -= a[row][k] * x[k];
    x[row] = a[row][row] == 0 ? 0 : sum / a[row][row];
  }
  return x;
}

class Fit {
 public:
  Fit(std::span<const FitVariable> variables, const Residuals& residuals, int max_evaluations)
      : variables_(variables), residuals_(residuals), max_evaluations_(max_evaluations) {
    for (const FitVariable& v : variables) x_.push_back(std::clamp(v.start, v.min, v.max));
    best_ = Evaluate(x_);
  }

  LeastSquaresResult Run() {
    for (const double scale : kScales) {
      while (evaluations_ < max_evaluations_ && Step(scale)) {
      }
    }
    return {x_, SumOfSquares(best_), evaluations_};
  }

 private:
  Vector Evaluate(const Vector& x) {
    ++evaluations_;
    return residuals_(x);
  }

  // Changes of the residuals per width of each variable, towards the side with room.
  Matrix Slopes(double scale) {
    Matrix slopes;
    for (size_t i = 0; i < x_.size(); ++i) {
      Vector moved = x_;
      const double width = variables_[i].width * scale;
      const double sign = x_[i] + width <= variables_[i].max ? 1 : -1;
      moved[i] = std::max(variables_[i].min, x_[i] + sign * width);
      const double moved_by = (moved[i] - x_[i]) / variables_[i].width;
      Vector slope = Evaluate(moved);
      for (size_t r = 0; r < slope.size(); ++r) {
        slope[r] = moved_by == 0 ? 0 : (slope[r] - best_[r]) / moved_by;
      }
      slopes.push_back(std::move(slope));
    }
    return slopes;
  }

  // Variables that are not pushed against a bound.
  std::vector<size_t> Free(const Vector& gradient) const {
    std::vector<size_t> free;
    for (size_t i = 0; i < x_.size(); ++i) {
      const bool at_min = x_[i] <= variables_[i].min && gradient[i] >= 0;
      const bool at_max = x_[i] >= variables_[i].max && gradient[i] <= 0;
      if (!at_min && !at_max) free.push_back(i);
    }
    return free;
  }

  // Goes to a better point; false when it found none, or one hardly better.
  bool Step(double scale) {
    const Matrix slopes = Slopes(scale);
    Vector gradient;
    for (const Vector& slope : slopes) {
      double sum = 0;
      for (size_t r = 0; r < slope.size(); ++r) sum += slope[r] * best_[r];
      gradient.push_back(sum);
    }
    const std::vector<size_t> free = Free(gradient);
    if (free.empty()) return false;
    const double before = SumOfSquares(best_);
    for (; damping_ <= kMostDamping; damping_ *= 10) {
      const Vector moved = Moved(slopes, gradient, free);
      Vector residuals = Evaluate(moved);
      const double after = SumOfSquares(residuals);
      if (after < before) {
        x_ = moved;
        best_ = std::move(residuals);
        damping_ = std::max(kFirstDamping, damping_ / 10);
        return after < before * (1 - kLeastGain);
      }
      if (evaluations_ >= max_evaluations_) return false;
    }
    damping_ = kFirstDamping;
    return false;
  }

  // The damped Gauss-Newton step of the free variables, cut at the bounds.
  Vector Moved(const Matrix& slopes, const Vector& gradient,
               const std::vector<size_t>& free) const {
    Matrix a(free.size(), Vector(free.size(), 0));
    Vector b;
    double largest = 0;
    for (size_t i = 0; i < free.size(); ++i) {
      for (size_t j = 0; j < free.size(); ++j) {
        for (size_t r = 0; r < best_.size(); ++r) {
          a[i][j] += slopes[free[i]][r] * slopes[free[j]][r];
        }
      }
      b.push_back(-gradient[free[i]]);
      largest = std::max(largest, a[i][i]);
    }
    for (size_t i = 0; i < free.size(); ++i) a[i][i] += damping_ * (a[i][i] + 1e-9 * largest);
    const Vector step = Solve(std::move(a), std::move(b));
    Vector moved = x_;
    for (size_t i = 0; i < free.size(); ++i) {
      const FitVariable& v = variables_[free[i]];
      moved[free[i]] = std::clamp(x_[free[i]] + step[i] * v.width, v.min, v.max);
    }
    return moved;
  }

  std::span<const FitVariable> variables_;
  const Residuals& residuals_;
  int max_evaluations_;
  int evaluations_ = 0;
  double damping_ = kFirstDamping;
  Vector x_;
  Vector best_;  // residuals at x_
};

}  // namespace

LeastSquaresResult MinimizeSquares(std::span<const FitVariable> variables,
                                   const Residuals& residuals, int max_evaluations) {
  return Fit(variables, residuals, max_evaluations).Run();
}

}  // namespace tokensim::accuracy
