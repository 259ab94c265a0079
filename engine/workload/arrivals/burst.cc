// Many requests at once, again and again.
#include <algorithm>
#include <cmath>

#include "engine/workload/arrival_process.h"

namespace tokensim {
namespace {

class Burst final : public NextByNext<Burst> {
 public:
  Burst(int64_t size, double interval) : size_(size), interval_(interval) {}

  SimTime Next() {
    if (in_burst_ == size_) {
      in_burst_ = 0;
      now_ = FromSeconds(static_cast<double>(++burst_) * interval_);
    }
    ++in_burst_;
    return now_;
  }
  [[nodiscard]] double ExpectedWithin(double seconds) const override {
    return static_cast<double>(size_) * std::ceil(seconds / interval_);
  }

 private:
  int64_t size_;
  double interval_;
  int64_t in_burst_ = 0;
  int64_t burst_ = 0;
  SimTime now_ = 0;
};

constexpr double kMostRequests = 1e9;
constexpr char kSize[] = "size";
constexpr char kInterval[] = "interval_seconds";
constexpr Parameter kParameters[] = {
    Derived(IntegerParameter(kSize, 1, {.min = 1, .max = kMostRequests}, "requests of one burst"),
            "all requests"),
    RealParameter(kInterval, 0, {.max = kMaxSimulatedSeconds}, "from one burst to the next",
                  "seconds")};

void Complete(const Traffic& traffic, ParameterValues* values) {
  if (traffic.endless || values->IsSet(kSize)) return;
  values->Derive(kSize, std::clamp(static_cast<double>(traffic.requests), 1.0, kMostRequests));
}

std::vector<ArrivalProblem> Check(const ParameterValues& values, const Traffic& traffic) {
  std::vector<ArrivalProblem> problems;
  const double interval = values.real(kInterval);
  if (!values.IsSet(kSize)) problems.push_back({kSize, "is missing: requests of one burst"});
  if (traffic.endless && interval == 0) {
    problems.push_back(
        {kInterval, "must be above 0 with workload.duration_seconds: bursts would never end"});
  }
  if (!problems.empty()) return problems;
  const auto bursts = static_cast<double>(traffic.requests / values.integer(kSize));
  if (bursts * interval > kMaxSimulatedSeconds) {
    problems.push_back({kInterval, "is too long: the last request would arrive after 126 years"});
  }
  return problems;
}

}  // namespace

extern constinit const ArrivalEntry kBurstArrivals = {
    {.name = "burst",
     .description = "many requests at once, from time 0",
     .parameters = kParameters},
    {.complete = Complete, .check = Check},
    [](const ParameterValues& values) -> ArrivalFactory::Maker {
      return [size = values.integer(kSize), interval = values.real(kInterval)](
                 const ArrivalContext&) { return std::make_unique<Burst>(size, interval); };
    }};

}  // namespace tokensim
