// Draws times to wait, as think times.
//
//   DurationSampler think(ExponentialDuration{10}, seed, "think");
//   SimTime next_turn = now + think.Next();
//
// Internal to engine/workload.
#pragma once

#include <string_view>
#include <variant>

#include "engine/base/rng.h"
#include "engine/base/time.h"
#include "engine/workload/workload.h"

namespace tokensim {

class DurationSampler {
 public:
  DurationSampler(const DurationDistribution& distribution, uint64_t seed, std::string_view stream)
      : rng_(seed, stream), distribution_(distribution) {}

  SimTime Next() {
    if (const auto* fixed = std::get_if<FixedDuration>(&distribution_)) {
      return FromSeconds(fixed->seconds);
    }
    if (const auto* uniform = std::get_if<UniformDuration>(&distribution_)) {
      const double span = uniform->max_seconds - uniform->min_seconds;
      return FromSeconds(uniform->min_seconds + span * rng_.Uniform());
    }
    const double mean = std::get<ExponentialDuration>(distribution_).mean_seconds;
    return FromSeconds(mean * rng_.Exponential(1));
  }

 private:
  RngStream rng_;
  DurationDistribution distribution_;
};

}  // namespace tokensim
