// Conditions on a report: `ttft.p99 <= 500ms`, `slo.attainment >= 99%`, `requests.rejected == 0`.
//
//   absl::StatusOr<Assertion> parsed = ParseAssertion("ttft.p99 <= 500ms");
//   AssertionResult result = Evaluate(*parsed, report);
//
// NAME OPERATOR NUMBER[UNIT]. Names: metrics.h. Operators: < <= > >= ==. Units: ns, us, ms, s, min
// for times (none means seconds), % for ratios.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/metrics.h"
#include "tokensim/v1/report.pb.h"

namespace tokensim::cli {

enum class Comparison { kLess, kLessOrEqual, kGreater, kGreaterOrEqual, kEqual };

struct Assertion {
  std::string text;
  std::string metric;
  Comparison comparison = Comparison::kLess;
  double bound = 0;  // in seconds for times
};

struct AssertionResult {
  std::string text;
  bool holds = false;
  std::string measured;  // "ttft.p99 = 612 ms"
};

// INVALID_ARGUMENT says what is wrong, with the nearest names when the metric is unknown.
[[nodiscard]] absl::StatusOr<Assertion> ParseAssertion(const std::string& text);

// The same for metrics other than those of a report.
[[nodiscard]] absl::StatusOr<Assertion> ParseAssertion(const std::string& text,
                                                       const std::vector<Metric>& metrics);

// An undefined metric fails.
[[nodiscard]] AssertionResult Evaluate(const Assertion& assertion, const v1::Report& report);
[[nodiscard]] AssertionResult Evaluate(const Assertion& assertion,
                                       const std::vector<Metric>& metrics);

}  // namespace tokensim::cli
