// The constants of a host in specs, and measured runs with their specs as cases of a fit.
//
//   const FitConstant* constant = FindConstant("iteration_seconds");
//   SetConstant(*constant, 0.9e-3, &resolved_spec);
//   FitCase fit_case = MakeFitCase("pro8b", resolved_spec, truth, constants);
#pragma once

#include <span>
#include <string>

#include "engine/analysis/constants.h"
#include "engine/analysis/fit.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim::accuracy {

// Of a resolved spec: its first worker group, or its front end.
[[nodiscard]] double GetConstant(const FitConstant& constant, const v1::Spec& spec);
// In every worker group, or in the front end.
void SetConstant(const FitConstant& constant, double value, v1::Spec* spec);
void SetConstant(const FitConstant& constant, double value, v1::Calibration* calibration);

// `resolved` has the workload of the truth. The constants, which must outlive the case, are set in
// copies of it.
[[nodiscard]] FitCase MakeFitCase(std::string name, v1::Spec resolved, Truth truth,
                                  std::span<const FitConstant* const> constants);

}  // namespace tokensim::accuracy
