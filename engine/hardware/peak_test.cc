#include "engine/hardware/peak.h"

#include <gtest/gtest.h>

namespace tokensim {
namespace {

TEST(PeakTest, EveryFormatHasThePeakOfItsUnits) {
  const DeviceConfig device = {.peak_flops = 100,
                               .peak_8bit_flops = 200,
                               .peak_fp8_flops = 201,
                               .peak_int8_flops = 202,
                               .peak_fp4_flops = 400};
  EXPECT_EQ(PeakFlops(NumberFormat::k32Bit, device), 50);
  EXPECT_EQ(PeakFlops(NumberFormat::k16Bit, device), 100);
  EXPECT_EQ(PeakFlops(NumberFormat::kFp8, device), 201);
  EXPECT_EQ(PeakFlops(NumberFormat::kFp8Block, device), 201);
  EXPECT_EQ(PeakFlops(NumberFormat::kInt8, device), 202);
  EXPECT_EQ(PeakFlops(NumberFormat::kNvfp4, device), 400);
}

TEST(PeakTest, TheEightBitPeakIsShortForBoth) {
  const DeviceConfig device = {.peak_flops = 100, .peak_8bit_flops = 200};
  for (const NumberFormat format :
       {NumberFormat::kFp8, NumberFormat::kFp8Block, NumberFormat::kInt8}) {
    EXPECT_EQ(PeakFlops(format, device), 200);
  }
}

TEST(PeakTest, WeightsWithoutUnitsAreMultipliedAsSixteenBits) {
  // As an A100: int8, no fp8.
  const DeviceConfig device = {.peak_flops = 100, .peak_int8_flops = 200};
  EXPECT_EQ(PeakFlops(NumberFormat::kInt8, device), 200);
  for (const NumberFormat format : {NumberFormat::kFp8, NumberFormat::kFp8Block,
                                    NumberFormat::kNvfp4, NumberFormat::kMxfp4, NumberFormat::kInt4}) {
    EXPECT_EQ(PeakFlops(format, device), 100);
  }
}

TEST(PeakTest, FourBitWeightsBesideSixteenBitActivationsNeedNoUnitsOfTheirOwn) {
  const DeviceConfig device = {.peak_flops = 100, .peak_8bit_flops = 200, .peak_fp4_flops = 400};
  EXPECT_EQ(PeakFlops(NumberFormat::kMxfp4, device), 100);
  EXPECT_EQ(PeakFlops(NumberFormat::kInt4, device), 100);
}

}  // namespace
}  // namespace tokensim
