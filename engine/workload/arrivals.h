// When requests arrive: one small class per process, each with `SimTime Next()`.
//
// Times never decrease and saturate at kNever. All draw from the stream "arrival" and nothing else.
// Internal to engine/workload; the functions are inline because they run once per request.
//
//   auto first = VisitArrivals(workload, seed, [](auto process) { return process.Next(); });
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/base/math.h"
#include "engine/base/rng.h"
#include "engine/base/time.h"
#include "engine/workload/workload.h"

namespace tokensim {

inline constexpr const char kArrivalStream[] = "arrival";

// A time of a trace that is replayed `speedup` times as fast.
inline SimTime Replayed(SimTime time, double speedup) {
  if (speedup == 1) return time;
  const double scaled = static_cast<double>(time) / speedup;
  return scaled < 9.2e18 ? static_cast<SimTime>(scaled + 0.5) : kNever;
}

// The time after which a trace repeats: its span and one mean gap.
inline SimTime TracePeriod(const TraceTable& trace) {
  TOKENSIM_INVARIANT(!trace.arrival.empty(), "trace without timestamps");
  const auto rows = static_cast<SimTime>(trace.arrival.size());
  const SimTime span = trace.arrival.back();
  return SaturatingAdd(span, rows > 1 ? span / (rows - 1) : 0);
}

class PoissonProcess {
 public:
  PoissonProcess(const PoissonArrivals& config, uint64_t seed)
      : rng_(seed, kArrivalStream), rate_(config.rate_per_second) {}

  SimTime Next() {
    now_ = SaturatingAdd(now_, FromSeconds(rng_.Exponential(rate_)));
    return now_;
  }

 private:
  RngStream rng_;
  double rate_;
  SimTime now_ = 0;
};

class ConstantProcess {
 public:
  explicit ConstantProcess(const ConstantArrivals& config) : rate_(config.rate_per_second) {}

  // index / rate, not a sum of rounded gaps: no drift.
  SimTime Next() { return FromSeconds(static_cast<double>(index_++) / rate_); }

 private:
  double rate_;
  int64_t index_ = 0;
};

// Order statistics of n uniforms, one after the other: given the i smallest, the next one leaves
// 1 - u' = (1 - u) V^(1/(n-i)) with V uniform (Devroye, "Non-Uniform Random Variate Generation",
// 1986, section V.3.1). Kept as a logarithm, so that neither end loses precision.
class UniformProcess {
 public:
  UniformProcess(const UniformArrivals& config, int64_t num_requests, uint64_t seed)
      : rng_(seed, kArrivalStream),
        start_(config.start_seconds),
        span_(config.end_seconds - config.start_seconds),
        remaining_(num_requests) {}

  SimTime Next() {
    log_rest_ -= rng_.Exponential(static_cast<double>(remaining_--));
    now_ = std::max(now_, FromSeconds(start_ - span_ * math::Expm1(log_rest_)));
    return now_;
  }

 private:
  RngStream rng_;
  double start_;
  double span_;
  int64_t remaining_;
  double log_rest_ = 0;  // log(1 - u)
  SimTime now_ = 0;
};

class BurstProcess {
 public:
  explicit BurstProcess(const BurstArrivals& config)
      : size_(config.size), interval_(config.interval_seconds) {}

  SimTime Next() {
    if (in_burst_ == size_) {
      in_burst_ = 0;
      now_ = FromSeconds(static_cast<double>(++burst_) * interval_);
    }
    ++in_burst_;
    return now_;
  }

 private:
  int64_t size_;
  double interval_;
  int64_t in_burst_ = 0;
  int64_t burst_ = 0;
  SimTime now_ = 0;
};

class TraceProcess {
 public:
  TraceProcess(const TraceArrivals& config, std::shared_ptr<const TraceTable> trace)
      : trace_(std::move(trace)), speedup_(config.speedup) {
    TOKENSIM_INVARIANT(trace_ != nullptr, "no trace");
    period_ = TracePeriod(*trace_);
  }

  SimTime Next() {
    if (row_ == trace_->arrival.size()) {
      row_ = 0;
      cycle_start_ = SaturatingAdd(cycle_start_, period_);
    }
    return Replayed(SaturatingAdd(cycle_start_, trace_->arrival[row_++]), speedup_);
  }

 private:
  std::shared_ptr<const TraceTable> trace_;
  double speedup_;
  size_t row_ = 0;
  SimTime cycle_start_ = 0;
  SimTime period_ = 0;
};

// Gamma gaps of mean 1/rate and coefficient of variation cv: shape 1/cv^2, scale cv^2/rate.
// Sampled by squeeze-free rejection from a cubed normal (Marsaglia, Tsang, "A Simple Method for
// Generating Gamma Variables", ACM TOMS 2000); a shape below 1 as Gamma(shape + 1) U^(1/shape).
class GammaProcess {
 public:
  GammaProcess(const GammaArrivals& config, uint64_t seed);

  SimTime Next() {
    now_ = SaturatingAdd(now_, FromSeconds(scale_ * DrawStandard()));
    return now_;
  }

 private:
  double DrawStandard() {
    const double boost = shape_ < 1 ? math::Exp(math::Log(rng_.UniformPositive()) / shape_) : 1;
    while (true) {
      const double x = rng_.Normal();
      const double root = 1 + c_ * x;
      if (root <= 0) continue;
      const double v = root * root * root;
      if (math::Log(rng_.UniformPositive()) < 0.5 * x * x + d_ * (1 - v + math::Log(v))) {
        return boost * d_ * v;
      }
    }
  }

  RngStream rng_;
  double shape_;
  double scale_;
  double d_;  // (shape, or shape + 1 below 1) - 1/3
  double c_;  // 1 / sqrt(9 d)
  SimTime now_ = 0;
};

// The shape of a Weibull distribution with this coefficient of variation, 0.01 .. 100.
[[nodiscard]] double WeibullShape(double cv);

// Weibull gaps, by inversion: scale (-ln U)^(1/shape), with mean scale Gamma(1 + 1/shape).
class WeibullProcess {
 public:
  WeibullProcess(const WeibullArrivals& config, uint64_t seed);

  SimTime Next() {
    const double power = math::Exp(inverse_shape_ * math::Log(rng_.Exponential(1)));
    now_ = SaturatingAdd(now_, FromSeconds(scale_ * power));
    return now_;
  }

 private:
  RngStream rng_;
  double inverse_shape_;
  double scale_;
  SimTime now_ = 0;
};

// A Poisson process whose rate changes: its integrated rate grows by an exponential of mean 1 from
// one arrival to the next, so each arrival is where the integral reaches that sum (inversion;
// Devroye 1986, section VI.1.3). The integral is quadratic within a segment and inverted exactly.
class PiecewiseProcess {
 public:
  PiecewiseProcess(const PiecewiseArrivals& config, uint64_t seed);

  SimTime Next() {
    mass_ += rng_.Exponential(1);
    now_ = std::max(now_, FromSeconds(TimeAtMass()));
    return now_;
  }

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

// ---- The process of a workload. A closed loop's gives the times at which its users begin.

inline PoissonProcess MakeArrivals(const PoissonArrivals& config, const Workload&, uint64_t seed) {
  return {config, seed};
}
inline ConstantProcess MakeArrivals(const ConstantArrivals& config, const Workload&, uint64_t) {
  return ConstantProcess(config);
}
inline UniformProcess MakeArrivals(const UniformArrivals& config, const Workload& workload,
                                   uint64_t seed) {
  return {config, workload.num_requests, seed};
}
inline BurstProcess MakeArrivals(const BurstArrivals& config, const Workload&, uint64_t) {
  return BurstProcess(config);
}
inline TraceProcess MakeArrivals(const TraceArrivals& config, const Workload& workload, uint64_t) {
  return {config, workload.trace};
}
inline GammaProcess MakeArrivals(const GammaArrivals& config, const Workload&, uint64_t seed) {
  return {config, seed};
}
inline WeibullProcess MakeArrivals(const WeibullArrivals& config, const Workload&, uint64_t seed) {
  return {config, seed};
}
inline PiecewiseProcess MakeArrivals(const PiecewiseArrivals& config, const Workload& workload,
                                     uint64_t seed) {
  TOKENSIM_INVARIANT(!config.segments.empty(), "no rate segments");
  TOKENSIM_INVARIANT(
      workload.duration != kNever || config.repeat || config.segments.back().end_rate > 0,
      "arrivals come to an end");
  return {config, seed};
}
inline UniformProcess MakeArrivals(const ClosedLoopArrivals& config, const Workload&,
                                   uint64_t seed) {
  return {UniformArrivals{0, config.ramp_seconds}, config.users, seed};
}

// visit(process) with the process of the workload, by value.
template <typename Visitor>
auto VisitArrivals(const Workload& workload, uint64_t seed, Visitor visit) {
  return std::visit([&](const auto& config) { return visit(MakeArrivals(config, workload, seed)); },
                    workload.arrivals);
}

}  // namespace tokensim
