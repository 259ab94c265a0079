// Poisson arrivals that come for a while and then stay away for a while, again and again.
#include <algorithm>
#include <cmath>

#include "engine/base/rng.h"
#include "engine/workload/arrival_process.h"

namespace tokensim {
namespace {

class OnOff final : public NextByNext<OnOff> {
 public:
  OnOff(double rate, double on_seconds, double off_seconds, uint64_t seed)
      : rng_(seed, kArrivalStream), rate_(rate), on_(on_seconds), off_(off_seconds) {}

  SimTime Next() {
    busy_ += rng_.Exponential(rate_);
    return FromSeconds(busy_ + off_ * std::floor(busy_ / on_));
  }
  [[nodiscard]] double ExpectedWithin(double seconds) const override {
    const double cycles = std::floor(seconds / (on_ + off_));
    const double rest = seconds - cycles * (on_ + off_);
    return rate_ * (cycles * on_ + std::min(rest, on_));
  }

 private:
  RngStream rng_;
  double rate_;
  double on_;
  double off_;
  double busy_ = 0;  // seconds in which requests came
};

constexpr char kRate[] = "rate_per_second";
constexpr char kOn[] = "on_seconds";
constexpr char kOff[] = "off_seconds";
constexpr Parameter kParameters[] = {
    Required(RealParameter(kRate, 0, {.above = 0, .max = 1e9}, "requests per second, while on")),
    RealParameter(kOn, 60, {.above = 0, .max = 1e6}, "with requests", "seconds"),
    RealParameter(kOff, 60, {.max = 1e6}, "without", "seconds")};

}  // namespace

extern constinit const ArrivalEntry kOnOffArrivals = {
    {.name = "on_off",
     .description = "Poisson that pauses, again and again",
     .parameters = kParameters},
    {},
    [](const ParameterValues& values) -> ArrivalFactory::Maker {
      return [rate = values.real(kRate), on = values.real(kOn),
              off = values.real(kOff)](const ArrivalContext& context) {
        return std::make_unique<OnOff>(rate, on, off, context.seed);
      };
    }};

}  // namespace tokensim
