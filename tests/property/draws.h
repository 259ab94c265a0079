// Random draws for random plans.
#pragma once

#include <array>
#include <cstdint>

#include "engine/base/rng.h"
#include "engine/base/time.h"

namespace tokensim {

inline constexpr SimTime kGrid = 1'000'000;  // 1 ms

class Draws {
 public:
  explicit Draws(uint64_t seed, const char* stream = "random_plan") : rng_(seed, stream) {}

  // Integers in [low, high].
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(high - low + 1)));
  }
  int32_t Between32(int32_t low, int32_t high) { return static_cast<int32_t>(Between(low, high)); }
  bool OneIn(int64_t n) { return Between(1, n) == 1; }
  double Seconds(double high) { return rng_.Uniform() * high; }
  template <typename T, size_t n>
  T OneOf(const std::array<T, n>& values) {
    return values[rng_.Below(n)];
  }

 private:
  RngStream rng_;
};

}  // namespace tokensim
