#include "clients/cli/service_probe.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cli/parallel.h"
#include "clients/cli/units.h"
#include "engine/search/values.h"

namespace tokensim::cli {

namespace {

constexpr double kSlosPerRun = 20;
constexpr double kMinSeconds = 100;
constexpr double kMinRequests = 500;
constexpr double kMaxRequests = 20e6;
constexpr double kWarmUpShare = 0.1;
constexpr double kFullLink = 0.9;

void Append(std::string* list, const std::string& text) {
  absl::StrAppend(list, list->empty() ? "" : "; ", text);
}

double LongestAsked(const v1::Spec& resolved, const std::vector<Assertion>& assertions) {
  const v1::Slo& slo = resolved.slo();
  double longest = std::max(std::max(slo.ttft_seconds(), slo.tpot_seconds()),
                            std::max(slo.max_itl_seconds(), slo.e2e_seconds()));
  for (const Assertion& assertion : assertions) {
    const std::vector<Metric> metrics = MetricsFor(assertion.metric);
    const Metric* metric = FindMetric(metrics, assertion.metric);
    if (metric != nullptr && metric->unit == Unit::kSeconds) {
      longest = std::max(longest, assertion.bound);
    }
  }
  return longest;
}

// The standard error of a share p among n requests is sqrt(p (1 - p) / n).
double LeastAttainment(const Criteria& criteria, const v1::SloReport& slo) {
  if (criteria.sigmas == 0 || slo.met() == 0) return criteria.attainment;
  const double requests = static_cast<double>(slo.met()) / slo.attainment();
  const double variance = criteria.attainment * (1 - criteria.attainment) / requests;
  return criteria.attainment - criteria.sigmas * std::sqrt(variance);
}

// "98.7 % within the SLO (TTFT 98.9 %, TPOT 100 %)".
std::string AttainmentText(const v1::Report& report) {
  const v1::SloReport& slo = report.slo();
  const double count = slo.attainment() > 0 ? static_cast<double>(slo.met()) / slo.attainment() : 0;
  std::string parts;
  const auto add = [&](const char* name, bool asked, int64_t met) {
    if (!asked || count == 0) return;
    absl::StrAppend(&parts, parts.empty() ? " (" : ", ", name, " ",
                    FormatPercent(static_cast<double>(met) / count));
  };
  add("TTFT", slo.has_met_ttft(), slo.met_ttft());
  add("TPOT", slo.has_met_tpot(), slo.met_tpot());
  add("max ITL", slo.has_met_max_itl(), slo.met_max_itl());
  add("E2E", slo.has_met_e2e(), slo.met_e2e());
  return FormatPercent(slo.attainment()) + " within the SLO" + parts + (parts.empty() ? "" : ")");
}

}  // namespace

ServiceProbe::ServiceProbe(const SpecInput& input, const Knob& knob, const Criteria& criteria,
                           std::vector<search::Assignment> assignments, int threads,
                           std::function<bool()> stop)
    : input_(input),
      knob_(knob),
      criteria_(criteria),
      assignments_(std::move(assignments)),
      threads_(threads),
      stop_(std::move(stop)),
      longest_asked_(LongestAsked(input.prepared.resolved, criteria.assertions)) {}

ServiceProbe::Length ServiceProbe::LengthOf(double value, double scale) const {
  Length length;
  if (criteria_.duration_seconds) {
    length.seconds = *criteria_.duration_seconds * scale;
  } else if (knob_.is_rate) {
    const double seconds = std::max(kSlosPerRun * longest_asked_, kMinSeconds);
    length.seconds = std::max(seconds, kMinRequests / value) * scale;
  }
  if (criteria_.warm_up_seconds) {
    length.warm_up_seconds = *criteria_.warm_up_seconds;
  } else if (length.seconds && !input_.prepared.resolved.report().has_window()) {
    length.warm_up_seconds = kWarmUpShare * *length.seconds;
  }
  return length;
}

std::string ServiceProbe::WhatBroke(const PointRun& run) const {
  std::string broke;
  const v1::Report& report = run.report;
  if (report.requests().unfinished() > 0) {
    Append(&broke, FormatCount(report.requests().unfinished()) + " requests unfinished");
  }
  if (report.has_slo() && report.slo().attainment() < LeastAttainment(criteria_, report.slo())) {
    Append(&broke, AttainmentText(report));
  }
  for (const Assertion& assertion : criteria_.assertions) {
    const AssertionResult result = Evaluate(assertion, report);
    if (!result.holds) Append(&broke, result.text + " (" + result.measured + ")");
  }
  if (run.saturated) Append(&broke, "saturated");
  return broke;
}

absl::StatusOr<search::Verdict> ServiceProbe::Judge(double value, double scale) {
  v1::Spec spec = input_.spec;
  std::vector<search::Assignment> assignments = assignments_;
  if (!knob_.path.empty()) assignments.push_back({knob_.path, search::NumberText(value)});
  if (const absl::Status status = Assign(input_, assignments, &spec); !status.ok()) return status;
  const Length length = LengthOf(value, scale);
  if (length.seconds) {
    if (knob_.is_rate && *length.seconds * value > kMaxRequests) {
      return absl::OutOfRangeError(absl::StrCat("a run at ", value, " would have more than ",
                                                kMaxRequests,
                                                " requests; give --max or --duration"));
    }
    spec.mutable_workload()->clear_num_requests();
    spec.mutable_workload()->set_duration_seconds(*length.seconds);
  }
  if (length.warm_up_seconds) {
    spec.mutable_report()->mutable_window()->set_warm_up_seconds(*length.warm_up_seconds);
  }
  std::vector<PointRun> runs(static_cast<size_t>(criteria_.seeds));
  RunParallel(runs.size(), threads_, [&](size_t i) {
    v1::Spec seeded = spec;
    seeded.set_seed(spec.seed() + static_cast<int64_t>(i));
    runs[i] = RunSpec(input_, seeded, stop_);
  });
  search::Verdict verdict;
  int served = 0;
  for (const PointRun& run : runs) {
    if (run.stopped) return absl::CancelledError("interrupted");
    if (!run.error.empty()) return absl::InvalidArgumentError(run.error);
    const std::string broke = WhatBroke(run);
    if (broke.empty()) {
      ++served;
    } else if (verdict.broke.empty()) {
      verdict.broke = broke;
    }
  }
  verdict.serves = served >= std::ceil(criteria_.quantile * criteria_.seeds - 1e-9);
  if (verdict.serves) verdict.broke.clear();
  tried_.push_back({value, scale, std::move(runs[0].report)});
  for (v1::WorkerReport& worker : *tried_.back().report.mutable_workers()) worker.clear_timeline();
  return verdict;
}

const v1::Report* ServiceProbe::ReportAt(double value) const {
  const Tried* longest = nullptr;
  for (const Tried& tried : tried_) {
    if (tried.value != value) continue;
    if (longest == nullptr || tried.scale > longest->scale) longest = &tried;
  }
  return longest == nullptr ? nullptr : &longest->report;
}

std::string Bottleneck(const v1::Report& report) {
  const v1::WorkerReport* busiest = nullptr;
  for (const v1::WorkerReport& worker : report.workers()) {
    if (busiest == nullptr || worker.utilization() > busiest->utilization()) busiest = &worker;
  }
  if (busiest == nullptr) return "";
  std::string text = absl::StrCat(busiest->name(), " busy ", FormatPercent(busiest->utilization()));
  if (busiest->kv_blocks_total() > 0) {
    absl::StrAppend(&text, ", KV at most ",
                    FormatPercent(static_cast<double>(busiest->max_kv_blocks_used()) /
                                  static_cast<double>(busiest->kv_blocks_total())));
  }
  for (const v1::LinkReport& link : report.transfers().links()) {
    if (link.utilization() > kFullLink) {
      absl::StrAppend(&text, ", ", link.name(), " ", FormatPercent(link.utilization()));
    }
  }
  return text;
}

}  // namespace tokensim::cli
