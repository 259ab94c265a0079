// Independent uniform times, in order.
//
// Order statistics of n uniforms, one after the other: given the i smallest, the next one leaves
// 1 - u' = (1 - u) V^(1/(n-i)) with V uniform (Devroye, "Non-Uniform Random Variate Generation",
// 1986, section V.3.1). Kept as a logarithm, so that neither end loses precision.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/base/math.h"
#include "engine/base/rng.h"
#include "engine/workload/arrival_process.h"

namespace tokensim {

class UniformTimes final : public NextByNext<UniformTimes> {
 public:
  // At most `count` times are asked for.
  UniformTimes(double start_seconds, double end_seconds, int64_t count, uint64_t seed)
      : rng_(seed, kArrivalStream),
        start_(start_seconds),
        span_(end_seconds - start_seconds),
        remaining_(count) {}

  SimTime Next() {
    log_rest_ -= rng_.Exponential(static_cast<double>(remaining_--));
    now_ = std::max(now_, FromSeconds(start_ - span_ * math::Expm1(log_rest_)));
    return now_;
  }
  // A number of requests is spread over a time: no time has a number.
  [[nodiscard]] double ExpectedWithin(double /*seconds*/) const override { return 0; }

 private:
  RngStream rng_;
  double start_;
  double span_;
  int64_t remaining_;
  double log_rest_ = 0;  // log(1 - u)
  SimTime now_ = 0;
};

}  // namespace tokensim
