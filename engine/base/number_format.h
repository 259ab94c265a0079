// How numbers are stored that a device multiplies: of weights, and of the activations with them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tokensim {

enum class NumberFormat : uint8_t {
  k32Bit,
  k16Bit,     // bf16, fp16
  kFp8,       // one scale per matrix or row
  kFp8Block,  // scales of 128 x 128 blocks
  kInt8,
  kInt4,   // weights alone
  kMxfp4,  // weights alone: activations stay 16-bit
  kNvfp4,  // weights and activations
};
inline constexpr size_t kNumberFormats = 8;

}  // namespace tokensim
