// A Poisson process whose rate moves linearly within each segment.
//
// Its integrated rate grows by an exponential of mean 1 from one arrival to the next, so each
// arrival is where the integral reaches that sum (inversion; Devroye, "Non-Uniform Random Variate
// Generation", 1986, section VI.1.3). The integral is quadratic within a segment and inverted
// exactly. The segments are a table of the workload (Arrivals::segments).
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/rng.h"
#include "engine/workload/arrival_process.h"

namespace tokensim {
namespace {

class Piecewise final : public NextByNext<Piecewise> {
 public:
  Piecewise(const std::vector<RateSegment>& segments, bool repeat, uint64_t seed);

  SimTime Next() {
    mass_ += rng_.Exponential(1);
    now_ = std::max(now_, FromSeconds(TimeAtMass()));
    return now_;
  }
  [[nodiscard]] double ExpectedWithin(double seconds) const override;

 private:
  struct Segment {
    double start = 0;  // seconds from the start of the cycle
    double mass = 0;   // expected arrivals before it
    double rate = 0;   // at its start
    double slope = 0;  // change of the rate per second
    double duration = 0;
  };

  double TimeAtMass();

  RngStream rng_;
  std::vector<Segment> segments_;
  double cycle_seconds_ = 0;
  double cycle_mass_ = 0;  // expected arrivals in all segments
  double end_rate_ = 0;
  bool repeat_;
  double cycle_ = 0;  // how many are over
  double mass_ = 0;   // expected arrivals since the start of the cycle
  SimTime now_ = 0;
};

Piecewise::Piecewise(const std::vector<RateSegment>& segments, bool repeat, uint64_t seed)
    : rng_(seed, kArrivalStream), repeat_(repeat) {
  TOKENSIM_INVARIANT(!segments.empty(), "no rate segments");
  for (const RateSegment& segment : segments) {
    const double duration = segment.duration_seconds;
    segments_.push_back({cycle_seconds_, cycle_mass_, segment.start_rate,
                         (segment.end_rate - segment.start_rate) / duration, duration});
    cycle_seconds_ += duration;
    cycle_mass_ += 0.5 * (segment.start_rate + segment.end_rate) * duration;
  }
  end_rate_ = segments.back().end_rate;
  TOKENSIM_INVARIANT(cycle_mass_ > 0 || (!repeat_ && end_rate_ > 0), "no rate above 0");
}

double Piecewise::TimeAtMass() {
  if (mass_ >= cycle_mass_) {
    if (!repeat_ && end_rate_ == 0) return std::numeric_limits<double>::infinity();
    if (!repeat_) return cycle_seconds_ + (mass_ - cycle_mass_) / end_rate_;
    const double rest = std::fmod(mass_, cycle_mass_);
    cycle_ += std::round((mass_ - rest) / cycle_mass_);
    mass_ = rest;
  }
  // The last segment with no more mass before it. Segments without mass are never chosen but by a
  // sum that falls on them exactly.
  const auto after =
      std::upper_bound(segments_.begin() + 1, segments_.end(), mass_,
                       [](double mass, const Segment& segment) { return mass < segment.mass; });
  const Segment& segment = *(after - 1);
  // rate u + slope u^2 / 2 = m, in the form that loses no digits for small slopes.
  const double m = mass_ - segment.mass;
  const double end_rate =
      std::sqrt(std::max(0.0, segment.rate * segment.rate + 2 * segment.slope * m));
  const double u = m > 0 ? 2 * m / (segment.rate + end_rate) : 0;
  return cycle_ * cycle_seconds_ + segment.start + std::min(u, segment.duration);
}

double Piecewise::ExpectedWithin(double seconds) const {
  double rest = seconds;
  double arrivals = 0;
  if (repeat_) {
    arrivals = cycle_mass_ * std::floor(seconds / cycle_seconds_);
    rest = std::max(0.0, seconds - cycle_seconds_ * std::floor(seconds / cycle_seconds_));
  }
  for (const Segment& segment : segments_) {
    const double part = std::min(rest, segment.duration);
    arrivals += part * (segment.rate + 0.5 * segment.slope * part);
    rest -= part;
  }
  return arrivals + rest * end_rate_;
}

constexpr char kRepeat[] = "repeat";
constexpr Parameter kParameters[] = {
    FlagParameter(kRepeat, false, "begin again after the last segment, whose end rate else stays")};

}  // namespace

extern constinit const ArrivalEntry kPiecewiseArrivals = {
    {.name = "piecewise",
     .description = "Poisson at a rate that changes, in `segments`",
     .parameters = kParameters},
    {},
    [](const ParameterValues& values) -> ArrivalFactory::Maker {
      return [repeat = values.flag(kRepeat)](const ArrivalContext& context) {
        const Workload& workload = context.workload;
        const std::vector<RateSegment>& segments = workload.arrivals.segments;
        TOKENSIM_INVARIANT(!segments.empty(), "no rate segments");
        TOKENSIM_INVARIANT(workload.duration != kNever || repeat || segments.back().end_rate > 0,
                           "arrivals come to an end");
        return std::make_unique<Piecewise>(segments, repeat, context.seed);
      };
    }};

}  // namespace tokensim
