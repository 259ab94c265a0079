#include "engine/workload/expected_requests.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <variant>

#include "engine/base/time.h"
#include "engine/workload/arrivals.h"
#include "engine/workload/sessions.h"

namespace tokensim {
namespace {

double MeanSeconds(const FixedDuration& duration) { return duration.seconds; }
double MeanSeconds(const ExponentialDuration& duration) { return duration.mean_seconds; }
double MeanSeconds(const UniformDuration& duration) {
  return 0.5 * (duration.min_seconds + duration.max_seconds);
}

// Means of what a client sends.
struct MeanSession {
  double turns = 1;
  double seconds = 0;  // from its first request to its last answer
};

MeanSession SampleSessions(const Workload& workload, uint64_t seed, double token_seconds) {
  constexpr int kSessions = 1'000;
  const auto maker = MakeSessionMaker(workload, seed);
  Session session;
  MeanSession sum{0, 0};
  for (int i = 0; i < kSessions; ++i) {
    maker->Make(&session);
    sum.turns += static_cast<double>(session.turns.size());
    for (const Turn& turn : session.turns) {
      sum.seconds += turn.output * token_seconds + ToSeconds(turn.wait);
    }
  }
  return {sum.turns / kSessions, sum.seconds / kSessions};
}

// Arrivals in [0, seconds), by the kind of process.
struct ArrivalsWithin {
  double seconds;
  const TraceTable* trace;

  double operator()(const PoissonArrivals& a) const { return a.rate_per_second * seconds; }
  double operator()(const ConstantArrivals& a) const { return a.rate_per_second * seconds; }
  double operator()(const GammaArrivals& a) const { return a.rate_per_second * seconds; }
  double operator()(const WeibullArrivals& a) const { return a.rate_per_second * seconds; }
  double operator()(const UniformArrivals&) const { return 0; }     // need a number of requests
  double operator()(const ClosedLoopArrivals&) const { return 0; }  // have users instead
  double operator()(const BurstArrivals& a) const {
    return static_cast<double>(a.size) * std::ceil(seconds / a.interval_seconds);
  }
  double operator()(const TraceArrivals& a) const {
    const double period = ToSeconds(TracePeriod(*trace)) / a.speedup;
    const double cycles = std::floor(seconds / period);
    const SimTime rest = FromSeconds((seconds - cycles * period) * a.speedup);
    const auto row = std::lower_bound(trace->arrival.begin(), trace->arrival.end(), rest);
    return cycles * static_cast<double>(trace->size()) +
           static_cast<double>(row - trace->arrival.begin());
  }
  double operator()(const PiecewiseArrivals& a) const {
    double length = 0;
    double mass = 0;
    for (const PiecewiseArrivals::Segment& segment : a.segments) {
      length += segment.duration_seconds;
      mass += 0.5 * segment.duration_seconds * (segment.start_rate + segment.end_rate);
    }
    double rest = seconds;
    double arrivals = 0;
    if (a.repeat) {
      arrivals = mass * std::floor(seconds / length);
      rest = std::max(0.0, seconds - length * std::floor(seconds / length));
    }
    for (const PiecewiseArrivals::Segment& segment : a.segments) {
      const double part = std::min(rest, segment.duration_seconds);
      const double slope = (segment.end_rate - segment.start_rate) / segment.duration_seconds;
      arrivals += part * (segment.start_rate + 0.5 * slope * part);
      rest -= part;
    }
    return arrivals + rest * a.segments.back().end_rate;
  }
};

}  // namespace

int64_t ExpectedRequests(const Workload& workload, uint64_t seed, double token_seconds) {
  const double seconds = ToSeconds(workload.duration);
  const MeanSession session = SampleSessions(workload, seed, token_seconds);
  double requests = 0;
  if (const auto* loop = std::get_if<ClosedLoopArrivals>(&workload.arrivals)) {
    const double think =
        std::visit([](const auto& duration) { return MeanSeconds(duration); }, loop->think_time);
    requests = static_cast<double>(loop->users) * session.turns *
               (1 + seconds / (session.seconds + think));
  } else {
    requests = std::visit(ArrivalsWithin{seconds, workload.trace.get()}, workload.arrivals);
    // A trace with conversations is replayed row by row: all its turns are counted already.
    const bool all_rows = std::holds_alternative<TraceArrivals>(workload.arrivals) &&
                          UsesTraceConversations(workload);
    if (!all_rows) requests *= session.turns;
  }
  constexpr double kMost = 9e18;
  if (!(requests < kMost)) return std::numeric_limits<int64_t>::max();
  return std::max<int64_t>(1, std::llround(requests));
}

}  // namespace tokensim
