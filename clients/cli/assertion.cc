#include "clients/cli/assertion.h"

#include <charconv>
#include <utility>

#include "absl/status/status.h"

namespace tokensim::cli {

namespace {

absl::Status Invalid(const std::string& text, const std::string& what) {
  return absl::InvalidArgumentError("--assert '" + text + "': " + what);
}

std::string Trim(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Two-character operators first: `<` is the beginning of `<=`.
const std::pair<const char*, Comparison> kOperators[] = {{"<=", Comparison::kLessOrEqual},
                                                         {">=", Comparison::kGreaterOrEqual},
                                                         {"==", Comparison::kEqual},
                                                         {"<", Comparison::kLess},
                                                         {">", Comparison::kGreater}};

absl::StatusOr<double> UnitScale(const std::string& text, const std::string& unit, Unit kind) {
  static constexpr std::pair<std::string_view, double> kTimes[] = {
      {"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"min", 60}};
  if (unit.empty()) return 1.0;
  if (kind == Unit::kSeconds) {
    for (const auto& [name, scale] : kTimes) {
      if (unit == name) return scale;
    }
    return Invalid(text, "unknown unit '" + unit + "'; use ns, us, ms, s or min");
  }
  if (kind == Unit::kRatio && unit == "%") return 0.01;
  return Invalid(text, kind == Unit::kRatio ? "unknown unit '" + unit + "'; use %, or none"
                                            : "this metric has no unit, got '" + unit + "'");
}

absl::StatusOr<double> ParseBound(const std::string& text, const std::string& bound, Unit kind) {
  double value = 0;
  const char* const end = bound.data() + bound.size();
  const std::from_chars_result result = std::from_chars(bound.data(), end, value);
  if (result.ec != std::errc()) return Invalid(text, "'" + bound + "' is not a number");
  const absl::StatusOr<double> scale = UnitScale(text, Trim(std::string(result.ptr, end)), kind);
  if (!scale.ok()) return scale.status();
  return value * *scale;
}

std::string UnknownMetric(const std::vector<Metric>& metrics, const std::string& name) {
  std::string message = "unknown metric '" + name + "'";
  std::string names;
  for (const std::string& near : NearestMetrics(metrics, name)) {
    names += (names.empty() ? "" : ", ") + near;
  }
  return names.empty() ? message + "; `tokensim run --help` has examples"
                       : message + "; nearest: " + names;
}

bool Holds(double value, Comparison comparison, double bound) {
  switch (comparison) {
    case Comparison::kLess:
      return value < bound;
    case Comparison::kLessOrEqual:
      return value <= bound;
    case Comparison::kGreater:
      return value > bound;
    case Comparison::kGreaterOrEqual:
      return value >= bound;
    case Comparison::kEqual:
      return value == bound;
  }
  return false;
}

}  // namespace

absl::StatusOr<Assertion> ParseAssertion(const std::string& text) {
  const size_t at = text.find_first_of("<>=");
  return ParseAssertion(text, MetricsFor(Trim(text.substr(0, at))));
}

absl::StatusOr<Assertion> ParseAssertion(const std::string& text,
                                         const std::vector<Metric>& metrics) {
  const size_t at = text.find_first_of("<>=");
  if (at == std::string::npos) {
    return Invalid(text, "no operator; write NAME OPERATOR NUMBER, as ttft.p99 <= 500ms");
  }
  Assertion assertion{.text = Trim(text), .metric = Trim(text.substr(0, at))};
  size_t length = 0;
  for (const auto& [name, comparison] : kOperators) {
    if (text.compare(at, std::string_view(name).size(), name) != 0) continue;
    assertion.comparison = comparison;
    length = std::string_view(name).size();
    break;
  }
  if (length == 0) return Invalid(text, "unknown operator; use <, <=, >, >= or ==");
  const Metric* metric = FindMetric(metrics, assertion.metric);
  if (metric == nullptr) return Invalid(text, UnknownMetric(metrics, assertion.metric));
  const absl::StatusOr<double> bound =
      ParseBound(text, Trim(text.substr(at + length)), metric->unit);
  if (!bound.ok()) return bound.status();
  assertion.bound = *bound;
  return assertion;
}

AssertionResult Evaluate(const Assertion& assertion, const v1::Report& report) {
  return Evaluate(assertion, ListMetrics(report));
}

AssertionResult Evaluate(const Assertion& assertion, const std::vector<Metric>& metrics) {
  const Metric* metric = FindMetric(metrics, assertion.metric);
  AssertionResult result{.text = assertion.text, .holds = false, .measured = ""};
  if (metric == nullptr) {  // ParseAssertion lets only known names through, but of any class
    result.measured = assertion.metric + ": the report has no such class";
    return result;
  }
  result.holds = metric->value && Holds(*metric->value, assertion.comparison, assertion.bound);
  result.measured = assertion.metric + " = " + FormatMetric(*metric);
  return result;
}

}  // namespace tokensim::cli
