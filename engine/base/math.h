// Logarithm, exponential, cosine and gamma function, the same bits everywhere.
//
// The C library's differ between libraries, versions and even processors (glibc takes other code
// where there is a fused multiply-add). These use nothing but the additions, multiplications,
// divisions and roundings that IEEE 754 defines, so that a spec and a seed give the same bytes on
// every machine. Whatever a simulated result depends on takes them; tests/meta looks that nobody
// in engine/ calls the library's.
//
//   const double gap = -math::Log(u) / rate;
//
// Errors, in units in the last place: Log and Exp below 1; Expm1 and CosOfTurns below 2. Gamma:
// relative error below 1e-13. A power x^y that is no whole one is Exp(y * Log(x)).
//
// The reductions and polynomials of Log, Exp, Expm1 and CosOfTurns are those of FDLIBM 5.3:
//   Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Developed at SunSoft, a Sun
//   Microsystems, Inc. business. Permission to use, copy, modify, and distribute this software is
//   freely granted, provided that this notice is preserved.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "engine/base/invariant.h"

namespace tokensim::math {

namespace internal {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
// ln 2 = kLn2High + kLn2Low; the high part times an exponent is exact.
inline constexpr double kLn2High = 6.93147180369123816490e-01;
inline constexpr double kLn2Low = 1.90821492927058770002e-10;
inline constexpr double kInverseLn2 = 1.44269504088896338700e+00;
inline constexpr double kLargestExponent = 709.782712893383973096;
inline constexpr double kSmallestExponent = -745.13321910194110842;

// 2^k of a normal number.
inline double PowerOfTwo(int64_t k) {
  return std::bit_cast<double>(static_cast<uint64_t>(k + 1023) << 52);
}

// x 2^k, k from -2044 to 2046.
inline double Scale(double x, int64_t k) {
  if (k > 1023) return x * PowerOfTwo(1023) * PowerOfTwo(k - 1023);
  if (k < -1022) return x * PowerOfTwo(k + 1022) * 0x1p-1022;
  return x * PowerOfTwo(k);
}

// x = m 2^k with m from sqrt(1/2) to sqrt(2), of a finite x > 0.
struct Parts {
  double m;
  int64_t k;
};
inline Parts Split(double x) {
  int64_t k = 0;
  if (x < std::numeric_limits<double>::min()) {
    x *= 0x1p54;
    k = -54;
  }
  constexpr uint64_t kRootHalf = 0x3FE6A09E667F3BCD;  // the bits of sqrt(1/2)
  const uint64_t shifted = std::bit_cast<uint64_t>(x) - kRootHalf;
  const auto exponent = static_cast<int64_t>(shifted) >> 52;
  const uint64_t bits = std::bit_cast<uint64_t>(x) - (static_cast<uint64_t>(exponent) << 52);
  return {std::bit_cast<double>(bits), k + exponent};
}

// x = k ln 2 + high - low, |high - low| <= ln 2 / 2, of |x| < 1,000.
struct Reduced {
  int64_t k;
  double high;
  double low;
};
inline Reduced Reduce(double x) {
  // To the nearest whole number, by the sum with 1.5 2^52: half to even.
  constexpr double kShift = 0x1.8p52;
  const double shifted = x * kInverseLn2 + kShift;
  const double k = shifted - kShift;
  return {static_cast<int64_t>(k), x - k * kLn2High, k * kLn2Low};
}

// r (e^r + 1) / (e^r - 1) = 2 + r^2 P1 + ...: what is taken from r.
inline double Remainder(double r) {
  const double t = r * r;
  return r - t * (1.66666666666666019037e-01 +
                  t * (-2.77777777770155933842e-03 +
                       t * (6.61375632143793436117e-05 +
                            t * (-1.65339022054652515390e-06 + t * 4.13813679705723846039e-08))));
}

}  // namespace internal

// -infinity of 0; NaN of less.
inline double Log(double x) {
  if (!(x > 0) || x == internal::kInfinity) {
    return x == 0 ? -internal::kInfinity : x > 0 ? x : internal::kNan;
  }
  const internal::Parts parts = internal::Split(x);
  const auto k = static_cast<double>(parts.k);
  const double f = parts.m - 1;
  const double s = f / (2 + f);
  const double z = s * s;
  const double w = z * z;
  const double even = w * (3.999999999940941908e-01 +
                           w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  const double odd = z * (6.666666666666735130e-01 +
                          w * (2.857142874366239149e-01 +
                               w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  const double half = 0.5 * f * f;
  return k * internal::kLn2High - ((half - (s * (half + even + odd) + k * internal::kLn2Low)) - f);
}

inline double Exp(double x) {
  if (!(x <= internal::kLargestExponent)) return x > 0 ? internal::kInfinity : x;
  if (x < internal::kSmallestExponent) return 0;
  const internal::Reduced reduced = internal::Reduce(x);
  const double r = reduced.high - reduced.low;
  const double c = internal::Remainder(r);
  const double y = 1 - ((reduced.low - r * c / (2 - c)) - reduced.high);
  return internal::Scale(y, reduced.k);
}

// e^x - 1, without loss of digits near 0.
inline double Expm1(double x) {
  if (!(x < 40)) return Exp(x) - 1;
  if (x < -40) return -1;
  const internal::Reduced reduced = internal::Reduce(x);
  const double r = reduced.high - reduced.low;
  const double c = internal::Remainder(r);
  if (reduced.k == 0) return r - r * c / (c - 2);
  const double y = reduced.high - (reduced.low - r * c / (2 - c));  // e^r - 1
  const double power = internal::PowerOfTwo(reduced.k);
  return power * y + (power - 1);
}

// cos(2 pi u) of 0 <= u <= 1.
inline double CosOfTurns(double u) {
  TOKENSIM_INVARIANT(u >= 0 && u <= 1, "a turn out of range");
  // The nearest quarter turn, and the exact distance to it.
  const auto quarter = static_cast<int>(4 * u + 0.5);
  const double x = 6.28318530717958647692 * (u - 0.25 * quarter);
  const double z = x * x;
  double result;
  if (quarter % 2 == 0) {
    const double r =
        z * (4.16666666666666019037e-02 +
             z * (-1.38888888888741095749e-03 +
                  z * (2.48015872894767294178e-05 +
                       z * (-2.75573143513906633035e-07 +
                            z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
    const double half = 0.5 * z;
    const double w = 1 - half;
    result = w + (((1 - w) - half) + z * r);
  } else {
    const double r = 8.33333333332248946124e-03 +
                     z * (-1.98412698298579493134e-04 +
                          z * (2.75573137070700676789e-06 +
                               z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)));
    result = x + z * x * (-1.66666666666666324348e-01 + z * r);  // the sine
  }
  // The cosine of half a turn is -1, the sine falls behind a quarter and rises behind three.
  return quarter == 1 || quarter == 2 ? -result : result;
}

// The gamma function of 0 < x <= 150: Stirling's series at x + n >= 20, divided by the factors
// between (Abramowitz, Stegun, "Handbook of Mathematical Functions", 6.1.41).
inline double Gamma(double x) {
  TOKENSIM_INVARIANT(x > 0 && x <= 150, "argument of the gamma function");
  double factors = 1;
  for (; x < 20; x += 1) factors *= x;
  const double inverse = 1 / x;
  const double z = inverse * inverse;
  const double series =
      inverse *
      (1.0 / 12 + z * (-1.0 / 360 + z * (1.0 / 1260 + z * (-1.0 / 1680 + z * (1.0 / 1188)))));
  constexpr double kRootOfTwoPi = 2.50662827463100050242;
  return kRootOfTwoPi * Exp((x - 0.5) * Log(x) - x + series) / factors;
}

// base^exponent of a whole exponent >= 0, by squaring.
inline double PowerOf(double base, int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) result *= base;
    base *= base;
  }
  return result;
}

}  // namespace tokensim::math
