// Random streams.
//
// One stream per consumer, keyed by name, so that a new consumer does not shift another's draws:
//
//   RngStream arrivals(seed, "arrival");
//   double gap = arrivals.Exponential(rate);
//
// Generator: xoshiro256++ (Blackman, Vigna, "Scrambled linear pseudorandom number generators", ACM
// TOMS 2021), state filled by splitmix64 from the seed and an FNV-1a hash of the name. The standard
// library's distributions and functions differ between implementations, so ours are written out
// here and in math.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

#include "engine/base/math.h"

namespace tokensim {

class RngStream {
 public:
  RngStream(uint64_t seed, std::string_view name) {
    uint64_t x = 0xcbf29ce484222325ULL;
    for (const char c : name) x = (x ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    x ^= seed * 0x9e3779b97f4a7c15ULL;
    for (uint64_t& s : state_) s = SplitMix64(x);
  }

  uint64_t Next() {
    const uint64_t result = Rotl(state_[0] + state_[3], 23) + state_[0];
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = Rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, 1), 53 bits.
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  // Uniform in (0, 1], for logarithms.
  double UniformPositive() { return static_cast<double>((Next() >> 11) + 1) * 0x1.0p-53; }
  // Mean 1/rate.
  double Exponential(double rate) { return -math::Log(UniformPositive()) / rate; }
  // Uniform in [0, n), n >= 1. Multiply-shift; its bias is below n / 2^64.
  uint64_t Below(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * n) >> 64);
  }
  // Standard normal (Box-Muller, one of the pair).
  double Normal() {
    const double r = std::sqrt(-2.0 * math::Log(UniformPositive()));
    return r * math::CosOfTurns(Uniform());
  }

 private:
  static uint64_t Rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  static uint64_t SplitMix64(uint64_t& x) {
    uint64_t z = (x += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  uint64_t state_[4];
};

}  // namespace tokensim
