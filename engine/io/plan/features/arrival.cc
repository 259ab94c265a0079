// When requests arrive.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/resolve.h"
#include "engine/io/yaml/quantity.h"

namespace tokensim {
namespace {

constexpr double kMaxRate = 1e9;         // requests per second
constexpr double kSuspiciousRate = 1e5;  // no front end takes more

constexpr double kMaxVariation = 100;
constexpr int kMaxSegments = 10'000;
constexpr int64_t kMaxUsers = 10'000'000;
constexpr double kMaxWaitSeconds = 1e6;  // of one think time
constexpr char kTooLate[] = "the last request would arrive after 126 years";

void CheckRate(const Checker& check, bool present, double rate, int64_t requests) {
  if (!check.Required("rate_per_second", present, "requests per second")) return;
  if (!check.Positive("rate_per_second", rate, kMaxRate)) return;
  if (static_cast<double>(requests) / rate > kMaxSimulatedSeconds) {
    check.Error("rate_per_second", "is too low: the last request would arrive after 126 years");
  } else if (rate > kSuspiciousRate) {
    check.Warning("rate_per_second",
                  absl::StrCat("is ", FormatReal(rate, Units::kNone),
                               " requests per second: practically all arrive at once"));
  }
}

void ResolveUniform(const Checker& check, bool endless, v1::UniformArrival* uniform) {
  if (endless) {
    check.Error("",
                "spreads a number of requests over a time: give num_requests instead of "
                "duration_seconds, or another process");
  }
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

// `endless`: until a time comes, which it must then do.
void ResolveBurst(const Checker& check, int64_t requests, bool endless, v1::BurstArrival* burst) {
  if (endless) {
    check.Required("size", burst->has_size(), "requests of one burst");
    if (burst->interval_seconds() == 0) {
      check.Error("interval_seconds",
                  "must be above 0 with workload.duration_seconds: bursts would never end");
    }
  }
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
    check.Error("interval_seconds", "is too long: the last request would arrive after 126 years");
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
  if (workload.has_duration_seconds() && span == 0) {
    check.Error("",
                "the trace's rows arrive all at once: with workload.duration_seconds they would "
                "repeat without end");
  }
  const double cycles = 1 + static_cast<double>(workload.num_requests()) / rows.input_tokens_size();
  if (2 * span * cycles / arrival->speedup() > kMaxSimulatedSeconds ||
      2 * span * cycles > kMaxSimulatedSeconds) {
    check.Error("speedup", "the last request would arrive after 126 years");
  }
}

void CheckVariation(const Checker& check, bool present, double cv, double min) {
  if (!check.Required("cv", present, "standard deviation of a gap over its mean")) return;
  if (min == 0) {
    check.Positive("cv", cv, kMaxVariation);
  } else if (!(cv >= min && cv <= kMaxVariation)) {
    check.Error("cv", absl::StrCat("is ", FormatReal(cv, Units::kNone), "; allowed are ", min,
                                   " .. ", kMaxVariation));
  }
}

bool ResolveSegment(const Checker& check, v1::RateSegment* segment) {
  bool good = check.Required("duration_seconds", segment->has_duration_seconds(),
                             "how long the segment lasts") &&
              check.Positive("duration_seconds", segment->duration_seconds(), kMaxSimulatedSeconds);
  if (!check.Required("start_rate_per_second", segment->has_start_rate_per_second(),
                      "requests per second at its start") ||
      !check.NotNegative("start_rate_per_second", segment->start_rate_per_second(), kMaxRate)) {
    return false;
  }
  if (!segment->has_end_rate_per_second()) {
    segment->set_end_rate_per_second(segment->start_rate_per_second());
  }
  return check.NotNegative("end_rate_per_second", segment->end_rate_per_second(), kMaxRate) && good;
}

// `endless`: until a time comes; then the rate may end at 0.
void ResolvePiecewise(const Checker& check, int64_t requests, bool endless,
                      v1::PiecewiseArrival* piecewise) {
  const int count = piecewise->segments_size();
  if (count < 1 || count > kMaxSegments) {
    check.Error("segments",
                absl::StrCat("has ", count, " entries; allowed are 1 .. ", Grouped(kMaxSegments)));
    return;
  }
  if (!piecewise->has_repeat()) piecewise->set_repeat(false);
  bool good = true;
  double seconds = 0;
  double mass = 0;  // expected requests
  for (int i = 0; i < count; ++i) {
    v1::RateSegment* segment = piecewise->mutable_segments(i);
    const std::string path = check.Path(absl::StrCat("segments[", i, "]"));
    good = ResolveSegment(Checker(check.findings(), path), segment) && good;
    seconds += segment->duration_seconds();
    mass += segment->duration_seconds() * 0.5 *
            (segment->start_rate_per_second() + segment->end_rate_per_second());
  }
  if (!good) return;
  const auto expected = static_cast<double>(requests);
  const double end_rate = piecewise->segments(count - 1).end_rate_per_second();
  if (mass == 0 && (piecewise->repeat() || (endless && end_rate == 0))) {
    check.Error("segments", "have no rate above 0");
  } else if (!piecewise->repeat() && end_rate == 0) {
    if (endless) return;
    check.Error(absl::StrCat("segments[", count - 1, "].end_rate_per_second"),
                "is 0 and stays: the last requests might never come; give a rate or set repeat");
  } else if (const double end = piecewise->repeat() ? seconds * (1 + expected / mass)
                                                    : seconds + expected / end_rate;
             !(end <= kMaxSimulatedSeconds)) {
    check.Error("segments", absl::StrCat("are too long or too slow: ", kTooLate));
  }
}

void ResolveClosedLoop(const Checker& check, int64_t requests, v1::ClosedLoopArrival* loop) {
  const bool users = check.Required("users", loop->has_users(), "how many clients take turns") &&
                     check.Range("users", loop->users(), 1, kMaxUsers);
  if (!loop->has_think_time()) loop->mutable_think_time()->set_fixed_seconds(0);
  const int64_t errors = check.findings()->errors();
  ResolveDuration(Checker(check.findings(), check.Path("think_time")), loop->mutable_think_time());
  if (!loop->has_ramp_seconds()) loop->set_ramp_seconds(0);
  check.NotNegative("ramp_seconds", loop->ramp_seconds(), kMaxSimulatedSeconds / 2);
  if (!users || check.findings()->errors() > errors) return;
  const double rounds = static_cast<double>(requests) / loop->users();
  if (rounds * MeanSeconds(loop->think_time()) > kMaxSimulatedSeconds / 2) {
    check.Error("think_time", absl::StrCat("is too long: ", kTooLate));
  }
}

}  // namespace

void ResolveDuration(const Checker& check, v1::DurationDistribution* duration) {
  switch (duration->distribution_case()) {
    case v1::DurationDistribution::kFixedSeconds:
      check.NotNegative("fixed_seconds", duration->fixed_seconds(), kMaxWaitSeconds);
      return;
    case v1::DurationDistribution::kExponential: {
      const v1::ExponentialDuration& exponential = duration->exponential();
      if (check.Required("exponential.mean_seconds", exponential.has_mean_seconds(),
                         "the mean duration")) {
        check.Positive("exponential.mean_seconds", exponential.mean_seconds(), kMaxWaitSeconds);
      }
      return;
    }
    case v1::DurationDistribution::kUniform: {
      const v1::UniformDuration& uniform = duration->uniform();
      const bool min =
          check.Required("uniform.min_seconds", uniform.has_min_seconds(), "the shortest duration");
      const bool max =
          check.Required("uniform.max_seconds", uniform.has_max_seconds(), "the longest duration");
      if (!min || !max ||
          !check.NotNegative("uniform.min_seconds", uniform.min_seconds(), kMaxWaitSeconds) ||
          !check.NotNegative("uniform.max_seconds", uniform.max_seconds(), kMaxWaitSeconds)) {
        return;
      }
      if (uniform.max_seconds() < uniform.min_seconds()) {
        check.Error("uniform.max_seconds", "must not be below min_seconds");
      }
      return;
    }
    case v1::DurationDistribution::DISTRIBUTION_NOT_SET:
      check.Missing("", "is empty: give one of fixed_seconds, exponential, uniform");
  }
}

double MeanSeconds(const v1::DurationDistribution& duration) {
  if (duration.has_exponential()) return duration.exponential().mean_seconds();
  if (duration.has_uniform()) {
    return 0.5 * (duration.uniform().min_seconds() + duration.uniform().max_seconds());
  }
  return duration.fixed_seconds();
}

void ResolveArrival(v1::Workload* workload, Findings* findings) {
  const Checker check(findings, "workload.arrival");
  const auto at = [&](std::string_view member) { return Checker(findings, check.Path(member)); };
  v1::Arrival* arrival = workload->mutable_arrival();
  // Unknown, nothing is said that depends on it.
  const int64_t requests = findings->Broken("workload.num_requests") ? 0 : workload->num_requests();
  const bool endless = workload->has_duration_seconds();
  switch (arrival->process_case()) {
    case v1::Arrival::kPoisson:
      return CheckRate(at("poisson"), arrival->poisson().has_rate_per_second(),
                       arrival->poisson().rate_per_second(), requests);
    case v1::Arrival::kConstant:
      return CheckRate(at("constant"), arrival->constant().has_rate_per_second(),
                       arrival->constant().rate_per_second(), requests);
    case v1::Arrival::kUniform:
      return ResolveUniform(at("uniform"), endless, arrival->mutable_uniform());
    case v1::Arrival::kBurst:
      return ResolveBurst(at("burst"), requests, endless, arrival->mutable_burst());
    case v1::Arrival::kTrace:
      return ResolveTraceArrival(at("trace"), *workload, arrival->mutable_trace());
    case v1::Arrival::kGamma:
      CheckRate(at("gamma"), arrival->gamma().has_rate_per_second(),
                arrival->gamma().rate_per_second(), requests);
      return CheckVariation(at("gamma"), arrival->gamma().has_cv(), arrival->gamma().cv(), 0);
    case v1::Arrival::kWeibull:
      CheckRate(at("weibull"), arrival->weibull().has_rate_per_second(),
                arrival->weibull().rate_per_second(), requests);
      return CheckVariation(at("weibull"), arrival->weibull().has_cv(), arrival->weibull().cv(),
                            0.01);
    case v1::Arrival::kPiecewise:
      return ResolvePiecewise(at("piecewise"), requests, endless, arrival->mutable_piecewise());
    case v1::Arrival::kClosedLoop:
      return ResolveClosedLoop(at("closed_loop"), requests, arrival->mutable_closed_loop());
    case v1::Arrival::PROCESS_NOT_SET:
      check.Missing("",
                    "is missing: give one of poisson, constant, uniform, burst, gamma, weibull, "
                    "piecewise, closed_loop or, with a trace, trace");
  }
}

}  // namespace tokensim
