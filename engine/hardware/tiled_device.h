// An accelerator as what computes in it: cores with systolic arrays, vector units and a local
// buffer, around a global buffer. The terms are those of LLMCompass (Zhang et al., ISCA 2024); a
// GPU is one too:
//
//   TiledDeviceConfig a100{.cores = 108, .lanes = 4, .systolic_rows = 16, .systolic_columns = 16};
//
// An SM of the A100 is a core of 4 lanes, each with a tensor core (256 multiply-adds a cycle) and
// 32 CUDA cores; shared memory is the local buffer, L2 the global one.
#pragma once

#include <cstdint>

namespace tokensim {

struct TiledDeviceConfig {
  int32_t cores = 0;
  int32_t lanes = 0;  // per core; each has a systolic array and a vector unit
  int32_t systolic_rows = 0;
  int32_t systolic_columns = 0;
  int32_t vector_width = 0;  // operations of one vector unit per cycle
  double frequency_hertz = 0;
  int64_t local_buffer_bytes = 0;   // of one core
  int64_t register_file_bytes = 0;  // of one lane: accumulators
  int64_t global_buffer_bytes = 0;
  double global_buffer_bytes_per_second = 0;  // to all cores together
  bool near_memory = false;  // arrays beside the memory banks: weights bypass the buffers

  // 16-bit FLOP/s of all arrays: a multiply-add per element and cycle.
  [[nodiscard]] double array_flops() const {
    return 2.0 * cores * lanes * systolic_rows * systolic_columns * frequency_hertz;
  }
};

}  // namespace tokensim
