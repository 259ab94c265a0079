#include "engine/base/math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <functional>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

constexpr int kDraws = 200'000;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The largest distance from the library's long double, in units in the last place of the double.
double WorstError(const std::function<double(double)>& ours,
                  const std::function<long double(long double)>& exact,
                  const std::function<double(RngStream&)>& draw) {
  RngStream rng(1, "math");
  double worst = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = draw(rng);
    const long double wanted = exact(x);
    int exponent = 0;
    std::frexp(static_cast<double>(wanted), &exponent);
    const long double unit = std::ldexp(1.0L, std::max(exponent - 53, -1074));
    worst = std::max(worst, static_cast<double>(std::abs(ours(x) - wanted) / unit));
  }
  return worst;
}

std::function<double(RngStream&)> Between(double low, double high) {
  return [=](RngStream& rng) { return low + (high - low) * rng.Uniform(); };
}

// Of every size, denormal ones included.
double AnyPositive(RngStream& rng) {
  return std::ldexp(1 + rng.Uniform(), static_cast<int>(rng.Below(2097)) - 1074);
}

TEST(MathTest, LogIsWithinAUnitOfTheLibrary) {
  const auto exact = [](long double x) { return std::log(x); };
  EXPECT_LT(WorstError(math::Log, exact, [](RngStream& r) { return r.UniformPositive(); }), 1);
  EXPECT_LT(WorstError(math::Log, exact, Between(0.7, 1.42)), 1);
  EXPECT_LT(WorstError(math::Log, exact, AnyPositive), 1);
}

TEST(MathTest, ExpIsWithinAUnitOfTheLibrary) {
  const auto exact = [](long double x) { return std::exp(x); };
  EXPECT_LT(WorstError(math::Exp, exact, Between(-2, 2)), 1);
  EXPECT_LT(WorstError(math::Exp, exact, Between(-708, 709.7)), 1);
  EXPECT_LT(WorstError(math::Exp, exact, Between(-745, -708)), 1);
}

TEST(MathTest, Expm1IsWithinTwoUnitsOfTheLibrary) {
  const auto exact = [](long double x) { return std::expm1(x); };
  EXPECT_LT(WorstError(math::Expm1, exact, Between(-42, 42)), 2);
  EXPECT_LT(WorstError(math::Expm1, exact, Between(-1.5, 1.5)), 2);
  const auto small = [](RngStream& r) {
    return -std::ldexp(r.UniformPositive(), -static_cast<int>(r.Below(60)));
  };
  EXPECT_LT(WorstError(math::Expm1, exact, small), 2);
}

TEST(MathTest, CosOfTurnsIsWithinTwoUnitsOfTheLibrary) {
  // Near a quarter the library gets the angle with an error of its own.
  constexpr long double kTwoPi = 6.283185307179586476925286766559L;
  const auto exact = [](long double u) { return std::cos(kTwoPi * u); };
  for (const double start : {0.0, 0.26, 0.51, 0.76}) {
    EXPECT_LT(WorstError(math::CosOfTurns, exact, Between(start, start + 0.23)), 2) << start;
  }
}

TEST(MathTest, GammaIsTheLibrarys) {
  const auto exact = [](long double x) { return std::tgamma(x); };
  const double units_of_1e13 = 1e-13 * 0x1p52;
  EXPECT_LT(WorstError(math::Gamma, exact, Between(1e-3, 34)), units_of_1e13);
  for (int n = 1, factorial = 1; n < 10; factorial *= n++) {
    EXPECT_NEAR(math::Gamma(n), factorial, 1e-13 * factorial) << n;
  }
}

TEST(MathTest, WholePowers) {
  EXPECT_EQ(math::PowerOf(3, 0), 1);
  EXPECT_EQ(math::PowerOf(3, 5), 243);
  EXPECT_EQ(math::PowerOf(10, 22), 1e22);
  EXPECT_EQ(math::PowerOf(0.5, 1'000'000'000), 0);
}

TEST(MathTest, Ends) {
  EXPECT_EQ(math::Log(0), -kInfinity);
  EXPECT_EQ(math::Log(1), 0);
  EXPECT_EQ(math::Log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(math::Log(-1)));
  EXPECT_TRUE(std::isnan(math::Log(std::nan(""))));
  EXPECT_EQ(math::Exp(0), 1);
  EXPECT_EQ(math::Exp(710), kInfinity);
  EXPECT_EQ(math::Exp(kInfinity), kInfinity);
  EXPECT_EQ(math::Exp(-746), 0);
  EXPECT_EQ(math::Exp(-kInfinity), 0);
  EXPECT_TRUE(std::isnan(math::Exp(std::nan(""))));
  EXPECT_EQ(math::Expm1(0), 0);
  EXPECT_EQ(math::Expm1(-kInfinity), -1);
  EXPECT_EQ(math::Expm1(kInfinity), kInfinity);
  EXPECT_EQ(math::CosOfTurns(0), 1);
  EXPECT_EQ(math::CosOfTurns(0.25), 0);
  EXPECT_EQ(math::CosOfTurns(0.5), -1);
  EXPECT_EQ(math::CosOfTurns(0.75), 0);
  EXPECT_EQ(math::CosOfTurns(1), 1);
  EXPECT_THROW((void)math::CosOfTurns(1.5), InvariantError);
  EXPECT_THROW((void)math::Gamma(0), InvariantError);
}

// Pins the bits: a change here changes results and needs a new engine version.
TEST(MathTest, BitsArePinned) {
  // FNV-1a over the results for the same arguments everywhere.
  const auto digest = [](const std::function<double(double)>& f, double low, double high) {
    RngStream rng(2, "bits");
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (int i = 0; i < 100'000; ++i) {
      const uint64_t bits = std::bit_cast<uint64_t>(f(low + (high - low) * rng.Uniform()));
      for (int shift = 0; shift < 64; shift += 8) {
        hash = (hash ^ (bits >> shift & 0xff)) * 0x100000001b3ULL;
      }
    }
    return hash;
  };
  EXPECT_EQ(digest(math::Log, 1e-9, 1e9), 0xde2da95ebcb96a4eULL);
  EXPECT_EQ(digest(math::Log, 0, 1), 0xb046153f7de08ad4ULL);
  EXPECT_EQ(digest(math::Exp, -50, 50), 0x66e63d50d1cd3d3eULL);
  EXPECT_EQ(digest(math::Expm1, -50, 1), 0x769ed88ee152a8e2ULL);
  EXPECT_EQ(digest(math::CosOfTurns, 0, 1), 0x3c0a551fb7d94544ULL);
  EXPECT_EQ(digest(math::Gamma, 0.5, 33), 0x101d4aa45e2e1fb5ULL);
}

}  // namespace
}  // namespace tokensim
