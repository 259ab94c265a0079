#include "engine/analysis/fit.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/analysis/least_squares.h"
#include "engine/analysis/replay.h"

namespace tokensim::accuracy {

namespace {

// Errors count up to this much: what is lost altogether gives a slope no more.
constexpr double kLargestError = 10;
// Weight of a constant's distance from adding nothing, in widths: a hundred widths count like an
// error of 0.5 %.
constexpr double kPull = 5e-5;

// The errors of the objective, of everything that was measured.
std::vector<double> ErrorsOf(const std::vector<Comparison>& comparisons) {
  std::vector<double> errors;
  for (const Comparison& comparison : comparisons) {
    if (comparison.overloaded) continue;
    for (const MetricComparison& metric : comparison.metrics) {
      if (metric.metric.ends_with("_queued")) continue;
      for (const Figure& figure : metric.figures) {
        if (figure.statistic == "output_tokens_per_second") continue;  // follows from requests
        // The mean of the first stage of a load test carries the start of the server.
        if (comparison.name == "stage0" && metric.metric == "ttft" && figure.statistic == "mean") {
          continue;
        }
        errors.push_back(std::clamp(figure.error(), -kLargestError, kLargestError));
      }
    }
  }
  return errors;
}

double RootMeanSquare(std::span<const double> values) {
  if (values.empty()) return 0;
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum / static_cast<double>(values.size()));
}

class Objective {
 public:
  Objective(std::span<const FitCase> cases, std::span<const FitConstant* const> constants)
      : constants_(constants), cases_(cases) {}

  // The first thing that went wrong; nothing is computed after it.
  [[nodiscard]] const absl::Status& status() const { return status_; }

  // Cases are computed side by side.
  std::vector<FitErrors> Errors(std::span<const double> x) {
    std::vector<std::future<absl::StatusOr<std::vector<Comparison>>>> running;
    for (size_t i = 0; i < cases_.size() && status_.ok(); ++i) {
      running.push_back(std::async(std::launch::async, CompareCase, std::cref(cases_[i]), x));
    }
    std::vector<FitErrors> all(cases_.size());
    for (size_t i = 0; i < running.size(); ++i) {
      absl::StatusOr<std::vector<Comparison>> comparisons = running[i].get();
      if (!comparisons.ok()) {
        if (status_.ok()) status_ = comparisons.status();
        continue;
      }
      all[i].comparisons = *std::move(comparisons);
      all[i].rms = RootMeanSquare(ErrorsOf(all[i].comparisons));
    }
    return all;
  }

  // As many as the first time, even after an error.
  std::vector<double> Residuals(std::span<const double> x) {
    std::vector<double> residuals;
    for (const FitErrors& each : Errors(x)) {
      const std::vector<double> errors = ErrorsOf(each.comparisons);
      const double weight =
          1 / std::sqrt(static_cast<double>(std::max<size_t>(1, errors.size() * cases_.size())));
      for (const double error : errors) residuals.push_back(error * weight);
    }
    for (size_t c = 0; c < constants_.size(); ++c) {
      residuals.push_back(kPull * (x[c] - constants_[c]->neutral) / constants_[c]->width);
    }
    if (count_ == 0) count_ = residuals.size();
    residuals.resize(count_);
    return residuals;
  }

 private:
  static absl::StatusOr<std::vector<Comparison>> CompareCase(const FitCase& fit_case,
                                                             std::span<const double> x) {
    const absl::StatusOr<std::shared_ptr<const Plan>> plan = fit_case.plan(x);
    if (!plan.ok()) return plan.status();
    const absl::StatusOr<Replay> replay = RunReplay(*plan);
    if (!replay.ok()) return replay.status();
    return Compare(fit_case.truth, replay->records);
  }

  std::span<const FitConstant* const> constants_;
  std::span<const FitCase> cases_;
  absl::Status status_;
  size_t count_ = 0;  // of residuals
};

// A hundredth of a width is all that a fit knows. By way of text, so that it reads back as short.
double Rounded(const FitConstant& constant, double value) {
  const double unit = constant.width / 100;
  char text[32];
  std::snprintf(text, sizeof(text), "%.9g", std::round(value / unit) * unit);
  return std::clamp(std::strtod(text, nullptr), constant.min, constant.max);
}

double RmsOf(const std::vector<FitErrors>& cases) {
  std::vector<double> each;
  for (const FitErrors& errors : cases) each.push_back(errors.rms);
  return RootMeanSquare(each);
}

}  // namespace

absl::StatusOr<FitResult> FitToRuns(std::span<const FitCase> cases,
                                    std::span<const FitConstant* const> constants) {
  FitResult fit;
  std::vector<FitVariable> variables;
  for (size_t c = 0; c < constants.size(); ++c) {
    const FitConstant& constant = *constants[c];
    const double start = std::clamp(cases[0].start[c], constant.min, constant.max);
    fit.start.push_back(start);
    variables.push_back({start, constant.min, constant.max, constant.width});
  }
  Objective objective(cases, constants);
  fit.before = objective.Errors(fit.start);
  if (!objective.status().ok()) return objective.status();
  for (size_t i = 0; i < cases.size(); ++i) {
    if (!ErrorsOf(fit.before[i].comparisons).empty()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(cases[i].name, ": clients gave up in every stage: nothing to fit to"));
  }
  const LeastSquaresResult best =
      MinimizeSquares(variables, [&](std::span<const double> x) { return objective.Residuals(x); });
  for (size_t c = 0; c < constants.size(); ++c) {
    fit.values.push_back(Rounded(*constants[c], best.x[c]));
  }
  fit.evaluations = best.evaluations;
  fit.after = objective.Errors(fit.values);
  if (!objective.status().ok()) return objective.status();
  fit.rms_before = RmsOf(fit.before);
  fit.rms_after = RmsOf(fit.after);
  return fit;
}

}  // namespace tokensim::accuracy
