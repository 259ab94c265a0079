// The arithmetic rate of a device by what it multiplies.
#pragma once

#include <array>
#include <cstddef>

#include "engine/base/number_format.h"
#include "engine/hardware/device.h"

namespace tokensim {

// Dense FLOP/s of GEMMs with weights of a format.
//
// Weights that the device has no units for are expanded to 16 bits as they are read, as Marlin and
// its like do: fewer bytes, at the 16-bit rate. So are int4 and mxfp4 everywhere, whose activations
// stay 16-bit in vLLM (W4A16). 32-bit GEMMs run as TF32, at half the 16-bit rate of NVIDIA's tensor
// cores.
[[nodiscard]] inline double PeakFlops(NumberFormat format, const DeviceConfig& device) {
  const auto or_16bit = [&](double peak) { return peak > 0 ? peak : device.peak_flops; };
  const auto or_8bit = [&](double peak) {
    return or_16bit(peak > 0 ? peak : device.peak_8bit_flops);
  };
  switch (format) {
    case NumberFormat::k32Bit:
      return device.peak_flops / 2;
    case NumberFormat::kFp8:
    case NumberFormat::kFp8Block:
      return or_8bit(device.peak_fp8_flops);
    case NumberFormat::kInt8:
      return or_8bit(device.peak_int8_flops);
    case NumberFormat::kNvfp4:
      return or_16bit(device.peak_fp4_flops);
    default:
      return device.peak_flops;
  }
}

// Seconds of one FLOP of each format, when `efficiency` of the peak is reached.
[[nodiscard]] inline std::array<double, kNumberFormats> SecondsPerFlop(const DeviceConfig& device,
                                                                       double efficiency) {
  std::array<double, kNumberFormats> seconds{};
  for (size_t i = 0; i < kNumberFormats; ++i) {
    seconds[i] = 1 / (PeakFlops(static_cast<NumberFormat>(i), device) * efficiency);
  }
  return seconds;
}

}  // namespace tokensim
