// When requests arrive: one small class per process, each with `SimTime Next()`.
//
// Times never decrease and saturate at kNever. All draw from the stream "arrival" and nothing else.
// Internal to engine/workload; the functions are inline because they run once per request.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>

#include "engine/base/invariant.h"
#include "engine/base/rng.h"
#include "engine/base/time.h"
#include "engine/workload/workload.h"

namespace tokensim {

inline constexpr const char kArrivalStream[] = "arrival";

// a + b for a, b >= 0.
inline SimTime SaturatingAdd(SimTime a, SimTime b) { return b > kNever - a ? kNever : a + b; }

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
    now_ = std::max(now_, FromSeconds(start_ - span_ * std::expm1(log_rest_)));
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
    TOKENSIM_INVARIANT(trace_ != nullptr && !trace_->arrival.empty(), "trace without timestamps");
    const auto rows = static_cast<SimTime>(trace_->arrival.size());
    const SimTime span = trace_->arrival.back();
    period_ = SaturatingAdd(span, rows > 1 ? span / (rows - 1) : 0);
  }

  SimTime Next() {
    if (row_ == trace_->arrival.size()) {
      row_ = 0;
      cycle_start_ = SaturatingAdd(cycle_start_, period_);
    }
    const SimTime time = SaturatingAdd(cycle_start_, trace_->arrival[row_++]);
    if (speedup_ == 1) return time;
    const double scaled = static_cast<double>(time) / speedup_;
    return scaled < 9.2e18 ? static_cast<SimTime>(scaled + 0.5) : kNever;
  }

 private:
  std::shared_ptr<const TraceTable> trace_;
  double speedup_;
  size_t row_ = 0;
  SimTime cycle_start_ = 0;
  SimTime period_ = 0;
};

}  // namespace tokensim
