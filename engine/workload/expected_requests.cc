#include "engine/workload/expected_requests.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <variant>

#include "engine/base/time.h"
#include "engine/workload/arrival_process.h"
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

}  // namespace

int64_t ExpectedRequests(const Workload& workload, uint64_t seed, double token_seconds) {
  const double seconds = ToSeconds(workload.duration);
  const MeanSession session = SampleSessions(workload, seed, token_seconds);
  double requests = 0;
  const ArrivalFactory& process = *workload.arrivals.process;
  if (process.users() > 0) {
    const double think = std::visit([](const auto& duration) { return MeanSeconds(duration); },
                                    workload.arrivals.think_time);
    requests = static_cast<double>(process.users()) * session.turns *
               (1 + seconds / (session.seconds + think));
  } else {
    requests = process.Make({workload, seed})->ExpectedWithin(seconds);
    // A trace with conversations is replayed row by row: all its turns are counted already.
    const bool all_rows = process.traits().from_trace && workload.uses_trace_conversations();
    if (!all_rows) requests *= session.turns;
  }
  constexpr double kMost = 9e18;
  if (!(requests < kMost)) return std::numeric_limits<int64_t>::max();
  return std::max<int64_t>(1, std::llround(requests));
}

}  // namespace tokensim
