#include "engine/io/plan/features/arrival.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/duration.h"
#include "engine/io/plan/features/limits.h"
#include "engine/io/plan/fields.h"
#include "engine/io/yaml/quantity.h"

namespace tokensim {
namespace {

constexpr double kMaxRate = 1e9;         // requests per second
constexpr double kSuspiciousRate = 1e5;  // no front end takes more

constexpr double kMaxVariation = 100;
constexpr char kCv[] = "standard deviation of a gap over its mean";
constexpr int kMaxSegments = 10'000;
constexpr int64_t kMaxUsers = 10'000'000;
constexpr FieldRule kRate[] = {
    Positive("rate_per_second", kMaxRate).Required("requests per second")};
constexpr FieldRule kVariation[] = {Positive("cv", kMaxVariation).Required(kCv)};
constexpr FieldRule kWeibullVariation[] = {Between("cv", 0.01, kMaxVariation).Required(kCv)};
constexpr FieldRule kUniform[] = {
    NotNegative("start_seconds", kMaxSimulatedSeconds).Default(0),
    NotNegative("end_seconds", kMaxSimulatedSeconds).Required("when the last request may arrive")};
constexpr FieldRule kBurst[] = {Integer("size", 1, kMaxRequests),  // all requests unless given
                                NotNegative("interval_seconds", kMaxSimulatedSeconds).Default(0)};
constexpr FieldRule kTrace[] = {Positive("speedup", 1e9).Default(1)};
constexpr FieldRule kPiecewise[] = {Flag("repeat").Default(0)};
constexpr FieldRule kSegment[] = {
    Positive("duration_seconds", kMaxSimulatedSeconds).Required("how long the segment lasts"),
    NotNegative("start_rate_per_second", kMaxRate).Required("requests per second at its start")};
constexpr FieldRule kEndRate[] = {
    NotNegative("end_rate_per_second", kMaxRate)};  // as at its start unless given
constexpr FieldRule kUsers[] = {
    Integer("users", 1, kMaxUsers).Required("how many clients take turns")};
constexpr FieldRule kRamp[] = {NotNegative("ramp_seconds", kMaxSimulatedSeconds / 2).Default(0)};
constexpr char kTooLate[] = "the last request would arrive after 126 years";

// Of a process with one rate.
template <typename Process>
void ResolveRate(const Checker& check, int64_t requests, Process* process) {
  if (!ResolveFields(check, kRate, process)) return;
  const double rate = process->rate_per_second();
  if (static_cast<double>(requests) / rate > kMaxSimulatedSeconds) {
    check.Error("rate_per_second", absl::StrCat("is too low: ", kTooLate));
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
  if (ResolveFields(check, kUniform, uniform) &&
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
  if (!ResolveFields(check, kBurst, burst)) return;
  const double bursts = static_cast<double>(requests / burst->size());
  if (bursts * burst->interval_seconds() > kMaxSimulatedSeconds) {
    check.Error("interval_seconds", absl::StrCat("is too long: ", kTooLate));
  }
}

void ResolveTraceArrival(const Checker& check, const v1::Workload& workload,
                         v1::TraceArrival* arrival) {
  if (!ResolveFields(check, kTrace, arrival)) return;
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
    check.Error("speedup", kTooLate);
  }
}

bool ResolveSegment(const Checker& check, v1::RateSegment* segment) {
  const bool good = ResolveFields(check, kSegment, segment);
  if (good && !segment->has_end_rate_per_second()) {
    segment->set_end_rate_per_second(segment->start_rate_per_second());
  }
  return ResolveFields(check, kEndRate, segment) && good;
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
  ResolveFields(check, kPiecewise, piecewise);
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
  const bool users = ResolveFields(check, kUsers, loop);
  if (!loop->has_think_time()) loop->mutable_think_time()->set_fixed_seconds(0);
  const int64_t errors = check.findings()->errors();
  ResolveDuration(Checker(check.findings(), check.Path("think_time")), loop->mutable_think_time());
  ResolveFields(check, kRamp, loop);
  if (!users || check.findings()->errors() > errors) return;
  const double rounds = static_cast<double>(requests) / loop->users();
  if (rounds * MeanSeconds(loop->think_time()) > kMaxSimulatedSeconds / 2) {
    check.Error("think_time", absl::StrCat("is too long: ", kTooLate));
  }
}

PiecewiseArrivals ToPiecewise(const v1::PiecewiseArrival& piecewise) {
  PiecewiseArrivals compiled;
  for (const v1::RateSegment& segment : piecewise.segments()) {
    compiled.segments.push_back({segment.duration_seconds(), segment.start_rate_per_second(),
                                 segment.end_rate_per_second()});
  }
  compiled.repeat = piecewise.repeat();
  return compiled;
}

}  // namespace

void ResolveArrival(v1::Workload* workload, Findings* findings) {
  const Checker check(findings, "workload.arrival");
  const auto at = [&](std::string_view member) { return Checker(findings, check.Path(member)); };
  v1::Arrival* arrival = workload->mutable_arrival();
  // Unknown, nothing is said that depends on it.
  const int64_t requests = findings->Broken("workload.num_requests") ? 0 : workload->num_requests();
  const bool endless = workload->has_duration_seconds();
  switch (arrival->process_case()) {
    case v1::Arrival::kPoisson:
      return ResolveRate(at("poisson"), requests, arrival->mutable_poisson());
    case v1::Arrival::kConstant:
      return ResolveRate(at("constant"), requests, arrival->mutable_constant());
    case v1::Arrival::kUniform:
      return ResolveUniform(at("uniform"), endless, arrival->mutable_uniform());
    case v1::Arrival::kBurst:
      return ResolveBurst(at("burst"), requests, endless, arrival->mutable_burst());
    case v1::Arrival::kTrace:
      return ResolveTraceArrival(at("trace"), *workload, arrival->mutable_trace());
    case v1::Arrival::kGamma:
      ResolveRate(at("gamma"), requests, arrival->mutable_gamma());
      ResolveFields(at("gamma"), kVariation, arrival->mutable_gamma());
      return;
    case v1::Arrival::kWeibull:
      ResolveRate(at("weibull"), requests, arrival->mutable_weibull());
      ResolveFields(at("weibull"), kWeibullVariation, arrival->mutable_weibull());
      return;
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

Arrivals ToArrivals(const v1::Arrival& arrival) {
  switch (arrival.process_case()) {
    case v1::Arrival::kConstant:
      return ConstantArrivals{arrival.constant().rate_per_second()};
    case v1::Arrival::kUniform:
      return UniformArrivals{arrival.uniform().start_seconds(), arrival.uniform().end_seconds()};
    case v1::Arrival::kBurst:
      return BurstArrivals{arrival.burst().size(), arrival.burst().interval_seconds()};
    case v1::Arrival::kTrace:
      return TraceArrivals{arrival.trace().speedup()};
    case v1::Arrival::kGamma:
      return GammaArrivals{arrival.gamma().rate_per_second(), arrival.gamma().cv()};
    case v1::Arrival::kWeibull:
      return WeibullArrivals{arrival.weibull().rate_per_second(), arrival.weibull().cv()};
    case v1::Arrival::kPiecewise:
      return ToPiecewise(arrival.piecewise());
    case v1::Arrival::kClosedLoop:
      return ClosedLoopArrivals{arrival.closed_loop().users(),
                                ToDuration(arrival.closed_loop().think_time()),
                                arrival.closed_loop().ramp_seconds()};
    default:
      return PoissonArrivals{arrival.poisson().rate_per_second()};
  }
}

}  // namespace tokensim
