// One accelerator, and the link it uses to the other devices of its worker.
#pragma once

#include <cstdint>
#include <string>

namespace tokensim {

struct InterconnectConfig {
  std::string name;
  double bandwidth_bytes_per_second = 0;  // per direction and device; 0: none
  double latency_seconds = 0;             // per message
};

struct DeviceConfig {
  std::string name;
  double peak_flops = 0;       // dense 16-bit FLOP/s
  double peak_8bit_flops = 0;  // of both 8-bit types, where they have no peak of their own
  double peak_fp8_flops = 0;   // 0: see PeakFlops (peak.h)
  double peak_int8_flops = 0;
  double peak_fp4_flops = 0;
  int64_t memory_bytes = 0;
  double memory_bandwidth_bytes_per_second = 0;
  double compute_efficiency = 1;  // (0, 1]
  double memory_efficiency = 1;   // (0, 1]
  double kernel_launch_seconds = 0;
  InterconnectConfig interconnect;
  double iteration_overhead_seconds = 0;  // host time per iteration
  double sequence_overhead_seconds = 0;   // host time per sequence in the batch
};

}  // namespace tokensim
