// What `tokensim calibrate` prints and writes.
#pragma once

#include <iosfwd>
#include <span>
#include <string>

#include "engine/analysis/fit.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim::cli {

struct CalibrateResult {
  std::span<const accuracy::FitConstant* const> constants;
  std::span<const accuracy::FitCase> cases;
  v1::Spec first;  // resolved, of the first case
  accuracy::FitResult fit;
  double wall_seconds = 0;
};

// The constants, and the errors before and after.
void WriteFitTable(const CalibrateResult& result, std::ostream& out);

// The calibration of the first case with the fitted constants, as YAML that a spec can name or
// hold; comments say where it comes from and how good it is.
[[nodiscard]] std::string CalibrationYaml(const CalibrateResult& result);

}  // namespace tokensim::cli
