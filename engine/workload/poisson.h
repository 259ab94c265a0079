// Poisson-distributed whole numbers.
//
// Below a mean of 10 by multiplying uniforms until they fall below e^-mean (Knuth, "The Art of
// Computer Programming" vol. 2, section 3.4.1); from there on by transformed rejection (Hoermann,
// "The transformed rejection method for generating Poisson random variables", Insurance:
// Mathematics and Economics 12, 1993, algorithm PTRS), which takes about 1.1 pairs of uniforms
// whatever the mean is.
//
//   const PoissonSampler sampler(128);
//   const double tokens = sampler.Draw(rng);  // a whole number >= 0
//
// Internal to engine/workload.
#pragma once

#include <cmath>

#include "engine/base/math.h"
#include "engine/base/rng.h"

namespace tokensim {

class PoissonSampler {
 public:
  // 0 < mean <= 1e9.
  explicit PoissonSampler(double mean)
      : mean_(mean),
        log_mean_(math::Log(mean)),
        least_product_(mean < kLargeMean ? math::Exp(-mean) : 0),
        b_(0.931 + 2.53 * std::sqrt(mean)),
        a_(-0.059 + 0.02483 * b_),
        log_inverse_alpha_(mean < kLargeMean ? 0 : math::Log(1.1239 + 1.1328 / (b_ - 3.4))),
        accepted_(0.9277 - 3.6224 / (b_ - 2)) {}

  double Draw(RngStream& rng) const {
    return mean_ < kLargeMean ? DrawByProduct(rng) : DrawByRejection(rng);
  }

 private:
  static constexpr double kLargeMean = 10;

  double DrawByProduct(RngStream& rng) const {
    double count = 0;
    for (double product = rng.UniformPositive(); product > least_product_;
         product *= rng.UniformPositive()) {
      ++count;
    }
    return count;
  }

  double DrawByRejection(RngStream& rng) const {
    while (true) {
      const double u = rng.Uniform() - 0.5;
      const double v = rng.UniformPositive();
      const double us = 0.5 - std::abs(u);
      const double k = std::floor((2 * a_ / us + b_) * u + mean_ + 0.43);
      if (us >= 0.07 && v <= accepted_) return k;
      if (k < 0 || (us < 0.013 && v > us)) continue;
      if (math::Log(v) + log_inverse_alpha_ - math::Log(a_ / (us * us) + b_) <=
          k * log_mean_ - mean_ - LogFactorial(k)) {
        return k;
      }
    }
  }

  // ln k!: Stirling's series, whose first term left out is below 1e-10 (Abramowitz, Stegun,
  // "Handbook of Mathematical Functions", 6.1.41).
  static double LogFactorial(double k) {
    if (k < 10) {
      double product = 1;
      for (double i = 2; i <= k; ++i) product *= i;
      return math::Log(product);
    }
    constexpr double kHalfLogOfTwoPi = 0.91893853320467274178;
    const double inverse = 1 / k;
    const double square = inverse * inverse;
    return (k + 0.5) * math::Log(k) - k + kHalfLogOfTwoPi +
           inverse * (1.0 / 12 - square * (1.0 / 360 - square / 1260));
  }

  double mean_;
  double log_mean_;
  double least_product_;  // e^-mean of a small mean
  double b_;
  double a_;
  double log_inverse_alpha_;
  double accepted_;  // share of the box that needs no second look
};

}  // namespace tokensim
