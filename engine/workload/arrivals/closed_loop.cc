// Users who send a request, wait for its end, think and send the next. The process says when each
// of them begins; the rest is session_source.h, with the think times of the workload.
#include "engine/workload/arrivals/uniform_times.h"

namespace tokensim {
namespace {

constexpr char kUsers[] = "users";
constexpr char kRamp[] = "ramp_seconds";
constexpr Parameter kParameters[] = {
    Required(
        IntegerParameter(kUsers, 1, {.min = 1, .max = 10'000'000}, "how many clients take turns")),
    RealParameter(kRamp, 0, {.max = kMaxSimulatedSeconds / 2},
                  "the users begin at random times up to it", "seconds")};

}  // namespace

extern constinit const ArrivalEntry kClosedLoopArrivals = {
    {.name = "closed_loop",
     .description = "users who wait for the answer, and `think_time`, before they ask again",
     .parameters = kParameters},
    {.users = [](const ParameterValues& values) { return values.integer(kUsers); }},
    [](const ParameterValues& values) -> ArrivalFactory::Maker {
      return [users = values.integer(kUsers),
              ramp = values.real(kRamp)](const ArrivalContext& context) {
        return std::make_unique<UniformTimes>(0, ramp, users, context.seed);
      };
    }};

}  // namespace tokensim
