// Whether a deployment serves at a value of its knob: what a capacity search asks.
//
//   ServiceProbe probe(input, knob, criteria, assignments, stop);
//   search::FindCapacity(limits, [&](double v, double scale) { return probe.Judge(v, scale); });
//
// It serves when the share of requests within the SLO is large enough, every assertion holds, and the
// run is not saturated, for enough of the seeds. A run lasts at least 20 times the longest time that
// is asked for (of the SLO, and of assertions), 100 s and 500 requests; its first tenth does not
// count.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "clients/cli/criteria.h"
#include "clients/cli/point_run.h"
#include "clients/cli/spec_input.h"
#include "engine/search/capacity.h"

namespace tokensim::cli {

struct Knob {
  std::string path;      // empty: none, a value is the rate that the spec has
  bool is_rate = false;  // requests per second: the length of a run follows it
  bool whole = false;
};

class ServiceProbe {
 public:
  // Simulated seconds of arrivals of a run, and how many of them do not count. Nothing: the spec's own.
  struct Length {
    std::optional<double> seconds;
    std::optional<double> warm_up_seconds;
  };

  // All references outlive it. `stop` as in RunSpec; `threads` for its seeds.
  ServiceProbe(const SpecInput& input, const Knob& knob, const Criteria& criteria,
               std::vector<search::Assignment> assignments, int threads,
               std::function<bool()> stop);

  // An error: the spec makes no sense with this value, or the run failed. CANCELLED: stopped.
  [[nodiscard]] absl::StatusOr<search::Verdict> Judge(double value, double scale);

  // The report of the first seed at the value, of the longest run there; null when it was not tried.
  [[nodiscard]] const v1::Report* ReportAt(double value) const;

  [[nodiscard]] Length LengthOf(double value, double scale) const;

 private:
  struct Tried {
    double value;
    double scale;
    v1::Report report;
  };

  // Why the run does not serve; empty: it does.
  [[nodiscard]] std::string WhatBroke(const PointRun& run) const;

  const SpecInput& input_;
  const Knob& knob_;
  const Criteria& criteria_;
  const std::vector<search::Assignment> assignments_;
  const int threads_;
  const std::function<bool()> stop_;
  double longest_asked_ = 0;  // seconds
  std::vector<Tried> tried_;
};

// The worker that is busiest, how full its KV cache was at most, and links that are full: what to
// look at first.
[[nodiscard]] std::string Bottleneck(const v1::Report& report);

}  // namespace tokensim::cli
