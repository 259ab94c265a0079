#include "clients/cli/units.h"

#include <gtest/gtest.h>

namespace tokensim::cli {
namespace {

TEST(Units, SecondsPickAUnit) {
  EXPECT_EQ(FormatSeconds(0), "0 s");
  EXPECT_EQ(FormatSeconds(12e-9), "12.0 ns");
  EXPECT_EQ(FormatSeconds(1.234e-6), "1.23 us");
  EXPECT_EQ(FormatSeconds(0.0452), "45.2 ms");
  EXPECT_EQ(FormatSeconds(0.9994), "999 ms");
  EXPECT_EQ(FormatSeconds(0.9996), "1.00 s");
  EXPECT_EQ(FormatSeconds(99.96), "100 s");
  EXPECT_EQ(FormatSeconds(252.12), "252 s");
  EXPECT_EQ(FormatSeconds(86400), "86,400 s");
}

TEST(Units, CountsAreGrouped) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(-1234567), "-1,234,567");
}

TEST(Units, NumbersKeepThreeDigits) {
  EXPECT_EQ(FormatNumber(7.934), "7.93");
  EXPECT_EQ(FormatNumber(9.994), "9.99");
  EXPECT_EQ(FormatNumber(9.996), "10.0");
  EXPECT_EQ(FormatNumber(79.34), "79.3");
  EXPECT_EQ(FormatNumber(793.4), "793");
  EXPECT_EQ(FormatNumber(1650.2), "1,650");
  EXPECT_EQ(FormatNumber(0.00123), "0.00123");
  EXPECT_EQ(FormatNumber(0), "0.00");
}

TEST(Units, BytesAndPercent) {
  EXPECT_EQ(FormatBytes(512), "512 B");
  EXPECT_EQ(FormatBytes(13476838400), "12.6 GiB");
  EXPECT_EQ(FormatPercent(0.992), "99.2 %");
  EXPECT_EQ(FormatPercent(1), "100 %");
}

TEST(Units, ExactReadsBack) {
  for (const double value : {0.1, 1.0 / 3, 1e300, 123456789.125, 0.0}) {
    EXPECT_EQ(std::stod(FormatExact(value)), value);
  }
}

}  // namespace
}  // namespace tokensim::cli
