// Time of the collective operations of n devices, each with one link: closed forms.
//
//   const LinearCost cost = RingAllReduce(/*devices=*/4, /*bytes_per_second=*/300e9, 1e-6);
//   const double seconds = cost.Seconds(message_bytes);
//
// All are linear in the message (Hockney, "The communication challenge for MPP", Parallel
// Computing 1994): seconds = steps x latency + bytes moved over the busiest link / bandwidth.
// `bytes` is what one device holds: the vector to sum, the gathered whole, everything it sends to
// all. Not in them: starting a kernel, adding the numbers, contention with other traffic. With one
// device every collective costs nothing.
//
// Sources. Ring: Patarasu, Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
// workstations", JPDC 2009. Pairwise exchange: Thakur, Rabenseifner, Gropp, "Optimization of
// collective communication operations in MPICH", IJHPCA 2005.
#pragma once

#include <cstdint>

namespace tokensim {

struct LinearCost {
  double seconds_per_byte = 0;
  double latency_seconds = 0;

  [[nodiscard]] double Seconds(double bytes) const {
    return bytes * seconds_per_byte + latency_seconds;
  }
};

// From one device to another.
[[nodiscard]] inline LinearCost PointToPoint(double bytes_per_second, double latency_seconds) {
  return {1 / bytes_per_second, latency_seconds};
}

// n-1 steps, in each of which every device hands 1/n of the message to its neighbour.
[[nodiscard]] inline LinearCost RingAllGather(int32_t devices, double bytes_per_second,
                                              double latency_seconds) {
  const double steps = devices - 1;
  return {steps / devices / bytes_per_second, steps * latency_seconds};
}

// A reduce-scatter, which is an all-gather backwards, then an all-gather.
[[nodiscard]] inline LinearCost RingAllReduce(int32_t devices, double bytes_per_second,
                                              double latency_seconds) {
  const LinearCost half = RingAllGather(devices, bytes_per_second, latency_seconds);
  return {2 * half.seconds_per_byte, 2 * half.latency_seconds};
}

// Pairwise exchange: n-1 steps, in each of which every device sends 1/n of its bytes to another.
[[nodiscard]] inline LinearCost AllToAll(int32_t devices, double bytes_per_second,
                                         double latency_seconds) {
  const double steps = devices - 1;
  return {steps / devices / bytes_per_second, steps * latency_seconds};
}

}  // namespace tokensim
