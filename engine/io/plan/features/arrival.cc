#include "engine/io/plan/features/arrival.h"

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/duration.h"
#include "engine/io/plan/features/limits.h"
#include "engine/io/plan/fields.h"
#include "engine/io/plan/policy_fields.h"
#include "engine/workload/arrival_registry.h"

namespace tokensim {
namespace {

constexpr double kMaxRate = 1e9;  // requests per second
constexpr int kMaxSegments = 10'000;
constexpr char kTooLate[] = "the last request would arrive after 126 years";
constexpr char kProcess[] = "process";
constexpr FieldRule kSegment[] = {
    Positive("duration_seconds", kMaxSimulatedSeconds).Required("how long the segment lasts"),
    NotNegative("start_rate_per_second", kMaxRate).Required("requests per second at its start")};
constexpr FieldRule kEndRate[] = {
    NotNegative("end_rate_per_second", kMaxRate)};  // as at its start unless given

Traffic TrafficOf(const v1::Workload& workload, const Findings& findings) {
  Traffic traffic;
  // Unknown, nothing is said that depends on it.
  traffic.requests = findings.Broken("workload.num_requests") ? 0 : workload.num_requests();
  traffic.endless = workload.has_duration_seconds();
  const v1::TraceRows& rows = workload.trace().rows();
  traffic.trace_rows = rows.input_tokens_size();
  traffic.trace_times = !rows.arrival_delta_ns().empty();
  for (const int64_t delta : rows.arrival_delta_ns()) {
    traffic.trace_seconds += static_cast<double>(delta) * 1e-9;
  }
  return traffic;
}

// Of a process without errors: what it derives from the traffic, and whether it goes with it.
void ResolveTraffic(const Checker& check, const Traffic& traffic, const ArrivalEntry& entry,
                    v1::Arrival* arrival) {
  ParameterValues values = ReadMember(entry, kProcess, *arrival);
  if (entry.traits.complete != nullptr) {
    entry.traits.complete(traffic, &values);
    WriteDerived(values, kProcess, arrival);
  }
  if (entry.traits.check == nullptr) return;
  for (const ArrivalProblem& problem : entry.traits.check(values, traffic)) {
    const std::string path = MemberPath(problem.parameter, kProcess, *arrival);
    if (problem.warning) {
      check.Warning(path, problem.message);
    } else {
      check.Error(path, problem.message);
    }
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

// `users_known`: there is no error in their number.
void ResolveThinkTime(const Checker& check, int64_t requests, bool users_known,
                      v1::ClosedLoopArrival* loop) {
  if (!loop->has_think_time()) loop->mutable_think_time()->set_fixed_seconds(0);
  const int64_t errors = check.findings()->errors();
  ResolveDuration(Checker(check.findings(), check.Path("think_time")), loop->mutable_think_time());
  if (!users_known || check.findings()->errors() > errors) return;
  const double rounds = static_cast<double>(requests) / loop->users();
  if (rounds * MeanSeconds(loop->think_time()) > kMaxSimulatedSeconds / 2) {
    check.Error("think_time", absl::StrCat("is too long: ", kTooLate));
  }
}

}  // namespace

void ResolveArrival(v1::Workload* workload, Findings* findings) {
  const Checker check(findings, "workload.arrival");
  v1::Arrival* arrival = workload->mutable_arrival();
  if (arrival->process_case() == v1::Arrival::PROCESS_NOT_SET) {
    check.Missing("", absl::StrCat("is missing: give one of ",
                                   MemberNames(ArrivalProcesses().infos(), kProcess, *arrival),
                                   "; trace needs workload.trace"));
    return;
  }
  const Traffic traffic = TrafficOf(*workload, *findings);
  const int64_t errors = findings->errors();
  const ArrivalEntry* entry = ResolveMember(check, ArrivalProcesses(), kProcess, arrival);
  if (entry == nullptr) return;
  const bool good = findings->errors() == errors;
  if (good) ResolveTraffic(check, traffic, *entry, arrival);
  if (arrival->has_piecewise()) {
    const Checker at(findings, check.Path("piecewise"));
    ResolvePiecewise(at, traffic.requests, traffic.endless, arrival->mutable_piecewise());
  }
  if (arrival->has_closed_loop()) {
    const Checker at(findings, check.Path("closed_loop"));
    ResolveThinkTime(at, traffic.requests, good, arrival->mutable_closed_loop());
  }
}

Arrivals ToArrivals(const v1::Arrival& arrival) {
  Arrivals compiled;
  compiled.process = ConfigureMember(ArrivalProcesses(), "process", arrival);
  for (const v1::RateSegment& segment : arrival.piecewise().segments()) {
    compiled.segments.push_back({segment.duration_seconds(), segment.start_rate_per_second(),
                                 segment.end_rate_per_second()});
  }
  if (arrival.has_closed_loop()) {
    compiled.think_time = ToDuration(arrival.closed_loop().think_time());
  }
  return compiled;
}

}  // namespace tokensim
