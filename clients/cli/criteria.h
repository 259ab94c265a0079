// What it means that a deployment serves a load, and the options that say it.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "clients/cli/assertion.h"

namespace tokensim::cli {

struct Criteria {
  double attainment = 0.99;  // share of requests within the SLO, where the spec has one
  double sigmas = 0;         // so many standard errors less are enough, in a short run
  std::vector<Assertion> assertions;
  int seeds = 1;        // from the spec's on
  double quantile = 1;  // share of the seeds that must serve
  std::optional<double> duration_seconds;
  std::optional<double> warm_up_seconds;
};

struct CriteriaOptions {
  Criteria criteria;
  std::vector<std::string> assertions;
};
// --attainment, --assert, --seeds, --quantile, --duration, --warm-up.
void AddCriteriaOptions(CLI::App* command, CriteriaOptions* options);
// Tells stderr what is wrong.
[[nodiscard]] bool ReadCriteria(const CriteriaOptions& options, Criteria* criteria);

// A share up to 1, as 0.99 or 99%; 0 only where it makes sense.
[[nodiscard]] CLI::Validator Share(bool zero = false);

}  // namespace tokensim::cli
