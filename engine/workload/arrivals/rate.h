// What processes with a mean rate have in common: the parameter, and its check.
#pragma once

#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/workload/arrival_process.h"

namespace tokensim {

inline constexpr double kMaxArrivalRate = 1e9;  // requests per second
inline constexpr char kRate[] = "rate_per_second";
inline constexpr Parameter kRateParameter =
    Required(RealParameter(kRate, 0, {.above = 0, .max = kMaxArrivalRate}, "requests per second"));

inline constexpr char kVariation[] = "cv";
// From `min`, or of any value above 0 where it is 0.
[[nodiscard]] constexpr Parameter VariationParameter(double min) {
  const ParameterRange range =
      min > 0 ? ParameterRange{.min = min, .max = 100} : ParameterRange{.above = 0, .max = 100};
  return Required(RealParameter(kVariation, 0, range, "standard deviation of a gap over its mean"));
}

// Neither so slow that the run would not end nor suspiciously fast.
[[nodiscard]] inline std::vector<ArrivalProblem> CheckRate(const ParameterValues& values,
                                                           const Traffic& traffic) {
  constexpr double kSuspiciousRate = 1e5;  // no front end takes more
  const double rate = values.real(kRate);
  if (static_cast<double>(traffic.requests) / rate > kMaxSimulatedSeconds) {
    return {{kRate, "is too low: the last request would arrive after 126 years"}};
  }
  if (rate <= kSuspiciousRate) return {};
  return {{kRate, absl::StrCat("is ", rate, " requests per second: practically all arrive at once"),
           /*warning=*/true}};
}

}  // namespace tokensim
