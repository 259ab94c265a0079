// Conditions on a report: `ttft.p99 <= 500ms`, `slo.attainment >= 99%`, `requests.rejected == 0`.
//
//   absl::StatusOr<Assertion> parsed = ParseAssertion("ttft.p99 <= 500ms");
//   AssertionResult result = Evaluate(*parsed, report);
//
// NAME OPERATOR NUMBER[UNIT]. Names: metrics.h. Operators: < <= > >= ==. Units: ns, us, ms, s, min
// for times (none means seconds), % for ratios.
#pragma once

#include <string>

#include "absl/status/statusor.h"
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

// An undefined metric fails.
[[nodiscard]] AssertionResult Evaluate(const Assertion& assertion, const v1::Report& report);

}  // namespace tokensim::cli
