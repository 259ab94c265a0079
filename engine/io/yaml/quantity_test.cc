#include "engine/io/yaml/quantity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

std::string RealError(std::string_view text, Units units) {
  const auto value = ParseReal(text, units);
  return value.ok() ? "" : std::string(value.status().message());
}

std::string IntegerError(std::string_view text, Units units, int64_t min = kMin,
                         int64_t max = kMax) {
  const auto value = ParseInteger(text, units, min, max);
  return value.ok() ? "" : std::string(value.status().message());
}

TEST(QuantityTest, UnitsFollowTheFieldName) {
  EXPECT_EQ(UnitsOfField("memory_bytes"), Units::kBytes);
  EXPECT_EQ(UnitsOfField("memory_bandwidth_bytes_per_second"), Units::kBytesPerSecond);
  EXPECT_EQ(UnitsOfField("peak_8bit_flops"), Units::kFlops);
  EXPECT_EQ(UnitsOfField("ttft_seconds"), Units::kSeconds);
  EXPECT_EQ(UnitsOfField("gap_ns"), Units::kNanoseconds);
  EXPECT_EQ(UnitsOfField("rate_per_second"), Units::kNone);
  EXPECT_EQ(UnitsOfField("bytes"), Units::kNone);
}

TEST(QuantityTest, DecimalUnitsAreTheNearestDouble) {
  EXPECT_EQ(*ParseReal("800ns", Units::kSeconds), 8e-7);
  EXPECT_EQ(*ParseReal("6.6us", Units::kSeconds), 6.6e-6);
  EXPECT_EQ(*ParseReal("6.6 \u00B5s", Units::kSeconds), 6.6e-6);
  EXPECT_EQ(*ParseReal("6.6\u03BCs", Units::kSeconds), 6.6e-6);
  EXPECT_EQ(*ParseReal("15s", Units::kSeconds), 15);
  EXPECT_EQ(*ParseReal("0.3ms", Units::kSeconds), 0.3e-3);
  EXPECT_EQ(*ParseReal("2min", Units::kSeconds), 120);
  EXPECT_EQ(*ParseReal("1.5h", Units::kSeconds), 5400);
  EXPECT_EQ(*ParseReal("312TFLOPS", Units::kFlops), 312e12);
  EXPECT_EQ(*ParseReal("1.979PFLOPS", Units::kFlops), 1.979e15);
  EXPECT_EQ(*ParseReal("2039GB/s", Units::kBytesPerSecond), 2039e9);
  EXPECT_EQ(*ParseReal("1GiB/s", Units::kBytesPerSecond), 1073741824);
}

TEST(QuantityTest, PlainNumbersAreInTheBaseUnit) {
  EXPECT_EQ(*ParseReal("1.5e-3", Units::kSeconds), 1.5e-3);
  EXPECT_EQ(*ParseReal(" +7 ", Units::kNone), 7);
  EXPECT_EQ(*ParseReal("-.5", Units::kNone), -0.5);
  EXPECT_EQ(*ParseInteger("85899345920", Units::kBytes, kMin, kMax), 85899345920);
}

TEST(QuantityTest, WholeNumbers) {
  EXPECT_EQ(*ParseInteger("80GiB", Units::kBytes, kMin, kMax), int64_t{80} << 30);
  EXPECT_EQ(*ParseInteger("40GB", Units::kBytes, kMin, kMax), 40'000'000'000);
  EXPECT_EQ(*ParseInteger("1.5KiB", Units::kBytes, kMin, kMax), 1536);
  EXPECT_EQ(*ParseInteger("2e6", Units::kNone, kMin, kMax), 2'000'000);
  EXPECT_EQ(*ParseInteger("9e18", Units::kNone, kMin, kMax), 9'000'000'000'000'000'000);
  EXPECT_EQ(*ParseInteger("1.25e2", Units::kNone, kMin, kMax), 125);
  EXPECT_EQ(*ParseInteger("3ms", Units::kNanoseconds, kMin, kMax), 3'000'000);
  EXPECT_EQ(*ParseInteger("9223372036854775807", Units::kNone, kMin, kMax), kMax);
  EXPECT_EQ(*ParseInteger("-9223372036854775808", Units::kNone, kMin, kMax), kMin);
  EXPECT_EQ(*ParseUnsigned("18446744073709551615", ~uint64_t{0}), ~uint64_t{0});
}

TEST(QuantityTest, ErrorsSayWhatIsAllowed) {
  EXPECT_EQ(RealError("80Gb", Units::kBytes),
            "unknown unit 'Gb': units are B, kB, KB, KiB, MB, MiB, GB, GiB, TB, TiB; did you mean "
            "GB?");
  EXPECT_EQ(RealError("15 sec", Units::kSeconds),
            "unknown unit 'sec': units are ns, us, \u00B5s, ms, s, min, h");
  EXPECT_EQ(RealError("8/s", Units::kNone), "takes a number without a unit, got '/s'");
  EXPECT_EQ(RealError("fast", Units::kFlops), "expected a number, as 312TFLOPS; got 'fast'");
  EXPECT_EQ(RealError("", Units::kNone), "expected a number; got ''");
  EXPECT_EQ(RealError("1e999", Units::kNone), "'1e999' is too large");
  EXPECT_THAT(RealError("1e9999999", Units::kNone), HasSubstr("expected a number"));
  EXPECT_EQ(IntegerError("1.5", Units::kNone), "expected a whole number; got '1.5'");
  EXPECT_EQ(IntegerError("x", Units::kBytes), "expected a whole number, as 80GiB; got 'x'");
  EXPECT_EQ(IntegerError("3000000000", Units::kNone, -2147483648LL, 2147483647),
            "'3000000000' is outside -2147483648 .. 2147483647");
  EXPECT_EQ(IntegerError("9e18TiB", Units::kBytes),
            "'9e18TiB' is outside -9223372036854775808 .. 9223372036854775807");
  EXPECT_THAT(std::string(ParseUnsigned("-1", 10).status().message()),
              HasSubstr("expected a whole number"));
  EXPECT_EQ(ParseUnsigned("11", 10).status().message(), "'11' is outside 0 .. 10");
}

TEST(QuantityTest, FormatsWithUnits) {
  EXPECT_EQ(FormatInteger(int64_t{80} << 30, Units::kBytes), "80GiB");
  EXPECT_EQ(FormatInteger(40'000'000'000, Units::kBytes), "40GB");
  EXPECT_EQ(FormatInteger(1537, Units::kBytes), "1537");
  EXPECT_EQ(FormatInteger(0, Units::kBytes), "0");
  EXPECT_EQ(FormatInteger(2048, Units::kNone), "2048");
  EXPECT_EQ(FormatReal(312e12, Units::kFlops), "312TFLOPS");
  EXPECT_EQ(FormatReal(6.6e-6, Units::kSeconds), "6.6us");
  EXPECT_EQ(FormatReal(0.1, Units::kSeconds), "100ms");
  EXPECT_EQ(FormatReal(1.0 / 3, Units::kSeconds), "0.3333333333333333");
  EXPECT_EQ(FormatReal(0.9, Units::kNone), "0.9");
  EXPECT_EQ(FormatReal(HUGE_VAL, Units::kNone), ".inf");
}

TEST(QuantityTest, WhatIsFormattedReadsBack) {
  constexpr Units kUnits[] = {Units::kNone,           Units::kBytes,   Units::kFlops,
                              Units::kBytesPerSecond, Units::kSeconds, Units::kNanoseconds};
  RngStream rng(7, "quantity");
  for (int i = 0; i < 20'000; ++i) {
    const Units units = kUnits[rng.Below(std::size(kUnits))];
    const double scale = std::pow(10.0, static_cast<double>(rng.Below(40)) - 20);
    // Rounded half of the time, so that short forms are met.
    const double digits = rng.Below(2) == 0 ? rng.Uniform() : std::round(rng.Uniform() * 1000);
    const double real = (rng.Below(2) == 0 ? -1 : 1) * digits * scale;
    ASSERT_EQ(*ParseReal(FormatReal(real, units), units), real) << FormatReal(real, units);
    const auto whole = static_cast<int64_t>(rng.Below(~uint64_t{0}) >> rng.Below(64));
    const std::string text = FormatInteger(whole, units);
    ASSERT_EQ(*ParseInteger(text, units, kMin, kMax), whole) << text;
  }
}

}  // namespace
}  // namespace tokensim
