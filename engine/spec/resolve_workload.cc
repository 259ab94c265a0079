#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/spec/quantity.h"
#include "engine/spec/resolve.h"

namespace tokensim {
namespace {

constexpr double kMaxRate = 1e9;         // requests per second
constexpr double kSuspiciousRate = 1e5;  // no front end takes more

void CheckRate(const Checker& check, bool present, double rate, int64_t requests) {
  if (!check.Required("rate_per_second", present, "requests per second")) return;
  if (!check.Positive("rate_per_second", rate, kMaxRate)) return;
  if (static_cast<double>(requests) / rate > kMaxSimulatedSeconds) {
    check.Error("rate_per_second", "is too low: the last request would arrive after 285 years");
  } else if (rate > kSuspiciousRate) {
    check.Warning("rate_per_second",
                  absl::StrCat("is ", FormatReal(rate, Units::kNone),
                               " requests per second: practically all arrive at once"));
  }
}

void ResolveUniform(const Checker& check, v1::UniformArrival* uniform) {
  if (!uniform->has_start_seconds()) uniform->set_start_seconds(0);
  if (!check.NotNegative("start_seconds", uniform->start_seconds(), kMaxSimulatedSeconds)) return;
  if (!check.Required("end_seconds", uniform->has_end_seconds(),
                      "when the last request may arrive")) {
    return;
  }
  if (check.NotNegative("end_seconds", uniform->end_seconds(), kMaxSimulatedSeconds) &&
      uniform->end_seconds() <= uniform->start_seconds()) {
    check.Error("end_seconds", "must be later than start_seconds");
  }
}

void ResolveBurst(const Checker& check, int64_t requests, v1::BurstArrival* burst) {
  if (!burst->has_size()) {
    burst->set_size(static_cast<int32_t>(std::clamp<int64_t>(requests, 1, kMaxRequests)));
  }
  if (!burst->has_interval_seconds()) burst->set_interval_seconds(0);
  const bool size = check.Range("size", burst->size(), 1, kMaxRequests);
  if (!check.NotNegative("interval_seconds", burst->interval_seconds(), kMaxSimulatedSeconds) ||
      !size) {
    return;
  }
  const double bursts = static_cast<double>(requests / burst->size());
  if (bursts * burst->interval_seconds() > kMaxSimulatedSeconds) {
    check.Error("interval_seconds", "is too long: the last request would arrive after 285 years");
  }
}

void ResolveTraceArrival(const Checker& check, const v1::Workload& workload,
                         v1::TraceArrival* arrival) {
  if (!arrival->has_speedup()) arrival->set_speedup(1);
  if (!check.Positive("speedup", arrival->speedup(), 1e9)) return;
  if (!workload.has_trace()) return;  // reported by the caller
  const v1::TraceRows& rows = workload.trace().rows();
  if (rows.input_tokens_size() == 0) return;  // the trace has errors
  if (rows.arrival_delta_ns().empty()) {
    check.Error("", "the trace has no timestamps; use another arrival process");
    return;
  }
  double span = 0;
  for (const int64_t delta : rows.arrival_delta_ns()) span += static_cast<double>(delta) * 1e-9;
  const double cycles = 1 + static_cast<double>(workload.num_requests()) / rows.input_tokens_size();
  if (2 * span * cycles / arrival->speedup() > kMaxSimulatedSeconds ||
      2 * span * cycles > kMaxSimulatedSeconds) {
    check.Error("speedup", "the last request would arrive after 285 years");
  }
}

void ResolveArrival(v1::Workload* workload, Findings* findings) {
  const Checker check(findings, "workload.arrival");
  const auto at = [&](std::string_view member) { return Checker(findings, check.Path(member)); };
  v1::Arrival* arrival = workload->mutable_arrival();
  const int64_t requests = workload->num_requests();
  switch (arrival->process_case()) {
    case v1::Arrival::kPoisson:
      return CheckRate(at("poisson"), arrival->poisson().has_rate_per_second(),
                       arrival->poisson().rate_per_second(), requests);
    case v1::Arrival::kConstant:
      return CheckRate(at("constant"), arrival->constant().has_rate_per_second(),
                       arrival->constant().rate_per_second(), requests);
    case v1::Arrival::kUniform:
      return ResolveUniform(at("uniform"), arrival->mutable_uniform());
    case v1::Arrival::kBurst:
      return ResolveBurst(at("burst"), requests, arrival->mutable_burst());
    case v1::Arrival::kTrace:
      return ResolveTraceArrival(at("trace"), *workload, arrival->mutable_trace());
    case v1::Arrival::PROCESS_NOT_SET:
      check.Error("",
                  "is missing: give one of poisson, constant, uniform, burst or, with a trace, "
                  "trace");
  }
}

bool LengthsAreSet(const v1::Lengths& lengths) {
  return !lengths.preset().empty() || lengths.source_case() != v1::Lengths::SOURCE_NOT_SET;
}

// What a trace stands for when the spec leaves it out, and whether it is used at all.
void ResolveTraceUse(const TracePolicy& policy, v1::Workload* workload, Findings* findings) {
  const bool has_trace = workload->has_trace();
  if (has_trace && workload->arrival().process_case() == v1::Arrival::PROCESS_NOT_SET) {
    workload->mutable_arrival()->mutable_trace();
  }
  if (has_trace && !LengthsAreSet(workload->lengths())) {
    workload->mutable_lengths()->mutable_trace();
  }
  const bool arrivals = workload->arrival().has_trace();
  const bool lengths = workload->lengths().has_trace();
  constexpr char kMissing[] = "needs workload.trace with a path or rows";
  if (!has_trace) {
    if (arrivals) findings->Error("workload.arrival.trace", kMissing);
    if (lengths) findings->Error("workload.lengths.trace", kMissing);
  } else if (!arrivals && !lengths && workload->has_num_requests()) {
    findings->Warning("workload.trace", "is not used by arrival or lengths");
    workload->clear_trace();
  } else {
    ResolveTrace(policy, workload->mutable_trace(), findings);
  }
}

}  // namespace

void ResolveWorkload(const TracePolicy& policy, v1::Workload* workload, Findings* findings) {
  const Checker check(findings, "workload");
  ResolveTraceUse(policy, workload, findings);
  const int rows = workload->trace().rows().input_tokens_size();
  if (!workload->has_num_requests() && rows > 0) workload->set_num_requests(rows);
  if (workload->has_num_requests()) {
    check.Range("num_requests", workload->num_requests(), 1, kMaxRequests);
  } else if (!workload->has_trace()) {
    check.Error("num_requests", "is missing: how many requests to simulate");
  }
  ResolveArrival(workload, findings);
  ResolveLengths(workload->mutable_lengths(), findings);
  if (workload->has_trace() && !workload->arrival().has_trace() &&
      !workload->lengths().has_trace()) {
    workload->clear_trace();  // it only gave the number of requests
  }
}

}  // namespace tokensim
