// A number of requests spread evenly over a time.
#include "engine/workload/arrivals/uniform_times.h"

namespace tokensim {
namespace {

constexpr char kStart[] = "start_seconds";
constexpr char kEnd[] = "end_seconds";
constexpr Parameter kParameters[] = {
    RealParameter(kStart, 0, {.max = kMaxSimulatedSeconds}, "when the first request may arrive",
                  "seconds"),
    Required(RealParameter(kEnd, 0, {.max = kMaxSimulatedSeconds},
                           "when the last request may arrive", "seconds"))};

std::vector<ArrivalProblem> Check(const ParameterValues& values, const Traffic& traffic) {
  std::vector<ArrivalProblem> problems;
  if (traffic.endless) {
    problems.push_back({"",
                        "spreads a number of requests over a time: give num_requests instead of "
                        "duration_seconds, or another process"});
  }
  if (values.real(kEnd) <= values.real(kStart)) {
    problems.push_back({kEnd, "must be later than start_seconds"});
  }
  return problems;
}

}  // namespace

extern constinit const ArrivalEntry kUniformArrivals = {
    {.name = "uniform",
     .description = "independent times, uniform between start and end",
     .parameters = kParameters},
    {.check = Check},
    [](const ParameterValues& values) -> ArrivalFactory::Maker {
      return [start = values.real(kStart), end = values.real(kEnd)](const ArrivalContext& context) {
        return std::make_unique<UniformTimes>(start, end, context.workload.num_requests,
                                              context.seed);
      };
    }};

}  // namespace tokensim
