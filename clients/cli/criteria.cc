#include "clients/cli/criteria.h"

#include <utility>

#include "clients/cli/options.h"
#include "clients/cli/talk.h"

namespace tokensim::cli {

CLI::Validator Share(bool zero) {
  const auto convert = [zero](std::string& text) -> std::string {
    const bool percent = !text.empty() && text.back() == '%';
    const std::string digits = percent ? text.substr(0, text.size() - 1) : text;
    try {
      size_t read = 0;
      const double value = std::stod(digits, &read) / (percent ? 100 : 1);
      if (read == digits.size() && (zero ? value >= 0 : value > 0) && value <= 1) {
        text = std::to_string(value);
        return "";
      }
    } catch (const std::exception&) {
      // Told below.
    }
    return "expected a share " + std::string(zero ? "from 0 to 1" : "above 0, at most 1") +
           ", as 0.99 or 99%; got '" + text + "'";
  };
  return CLI::Validator(convert, "");
}

void AddCriteriaOptions(CLI::App* command, CriteriaOptions* options) {
  Criteria& criteria = options->criteria;
  command
      ->add_option("--attainment", criteria.attainment,
                   "Share of requests that must be within the spec's SLO; default: 99%")
      ->transform(Share())
      ->option_text("SHARE");
  command
      ->add_option("--assert", options->assertions,
                   "Must hold, as 'ttft.p99 <= 500ms' (repeatable)")
      ->allow_extra_args(false)
      ->option_text("EXPR");
  command
      ->add_option("--seeds", criteria.seeds,
                   "Runs of each trial, with seeds of their own; default: 1")
      ->check(CLI::Range(1, 1000))
      ->option_text("N");
  command
      ->add_option("--quantile", criteria.quantile,
                   "Share of the seeds that must serve; default: 100%")
      ->transform(Share())
      ->option_text("SHARE");
  const auto seconds = [](double least) {
    return RealNumber("seconds", [least](double v) { return v >= least && v <= 1e9; });
  };
  command
      ->add_option("--duration", criteria.duration_seconds,
                   "Seconds of arrivals of a run; default: 20 times the longest time asked for, at "
                   "least 100 s and 500 requests")
      ->check(seconds(1e-3))
      ->option_text("SECONDS");
  command
      ->add_option("--warm-up", criteria.warm_up_seconds,
                   "Seconds at the beginning that do not count; default: a tenth")
      ->check(seconds(0))
      ->option_text("SECONDS");
}

bool ReadCriteria(const CriteriaOptions& options, Criteria* criteria) {
  *criteria = options.criteria;
  for (const std::string& text : options.assertions) {
    absl::StatusOr<Assertion> assertion = ParseAssertion(text);
    if (!assertion.ok()) {
      PrintError(std::string(assertion.status().message()));
      return false;
    }
    criteria->assertions.push_back(*std::move(assertion));
  }
  return true;
}

}  // namespace tokensim::cli
