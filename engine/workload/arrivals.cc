#include "engine/workload/arrivals.h"

#include <cmath>
#include <limits>

namespace tokensim {

GammaProcess::GammaProcess(const GammaArrivals& config, uint64_t seed)
    : rng_(seed, kArrivalStream),
      // Below a coefficient of 3e-8 gaps are equal to the last bit anyway.
      shape_(std::min(1 / (config.cv * config.cv), 1e15)),
      scale_(1 / (config.rate_per_second * shape_)),
      d_((shape_ < 1 ? shape_ + 1 : shape_) - 1.0 / 3),
      c_(1 / std::sqrt(9 * d_)) {}

// With x = 1/shape, the mean is Gamma(1 + x) and the mean square Gamma(1 + 2x), in units of the
// scale: 1 + cv^2 = Gamma(1 + 2x) / Gamma(1 + x)^2, which increases with x. Solved by bisection.
double WeibullShape(double cv) {
  const double wanted = 1 + cv * cv;
  double low = 1e-4;
  double high = 16;
  for (int i = 0; i < 100; ++i) {
    const double x = 0.5 * (low + high);
    const double mean = math::Gamma(1 + x);
    (math::Gamma(1 + 2 * x) / (mean * mean) < wanted ? low : high) = x;
  }
  return 2 / (low + high);
}

WeibullProcess::WeibullProcess(const WeibullArrivals& config, uint64_t seed)
    : rng_(seed, kArrivalStream),
      inverse_shape_(1 / WeibullShape(config.cv)),
      scale_(1 / (config.rate_per_second * math::Gamma(1 + inverse_shape_))) {}

PiecewiseProcess::PiecewiseProcess(const PiecewiseArrivals& config, uint64_t seed)
    : rng_(seed, kArrivalStream), repeat_(config.repeat) {
  TOKENSIM_INVARIANT(!config.segments.empty(), "no rate segments");
  for (const PiecewiseArrivals::Segment& segment : config.segments) {
    const double duration = segment.duration_seconds;
    segments_.push_back({cycle_seconds_, cycle_mass_, segment.start_rate,
                         (segment.end_rate - segment.start_rate) / duration, duration});
    cycle_seconds_ += duration;
    cycle_mass_ += 0.5 * (segment.start_rate + segment.end_rate) * duration;
  }
  end_rate_ = config.segments.back().end_rate;
  TOKENSIM_INVARIANT(cycle_mass_ > 0 || (!repeat_ && end_rate_ > 0), "no rate above 0");
}

double PiecewiseProcess::TimeAtMass() {
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

}  // namespace tokensim
