// What the peaks of a device say of operators, whoever prices them: calibrated times stay above, and
// sustained clocks stretch what arithmetic bounds.
//
//   const DevicePhysics physics(h100, /*compute_factor=*/1.1);
//   const double seconds = DevicePhysics::Bound(priced, calibrated, physics.Least(op));
//
// A device without peaks bounds nothing. Immutable.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "engine/base/number_format.h"
#include "engine/compute/operators.h"
#include "engine/hardware/device.h"
#include "engine/hardware/peak.h"

namespace tokensim {

class DevicePhysics {
 public:
  DevicePhysics(const DeviceConfig& device, double compute_factor)
      : compute_factor_(compute_factor) {
    if (device.peak_flops <= 0 || device.memory_bandwidth_bytes_per_second <= 0) return;
    seconds_per_flop_ = SecondsPerFlop(device, /*efficiency=*/1);
    seconds_per_byte_ = 1 / device.memory_bandwidth_bytes_per_second;
  }

  // The fewest seconds that arithmetic and memory allow; 0 without peaks.
  [[nodiscard]] double Least(const Operator& op) const {
    return std::max(ComputeSeconds(op), op.bytes * seconds_per_byte_);
  }
  // The same when arithmetic takes compute_factor times as long.
  [[nodiscard]] double Stretched(const Operator& op) const {
    return std::max(ComputeSeconds(op) * compute_factor_, op.bytes * seconds_per_byte_);
  }
  // By how much the operator takes longer then. What memory bounds takes as long as before.
  [[nodiscard]] double Stretch(const Operator& op) const {
    if (compute_factor_ == 1) return 1;
    const double before = Least(op);
    return before > 0 ? Stretched(op) / before : 1;
  }
  // `calibrated` seconds, but no fewer than the peaks allow (`least`), or than the operator was
  // `priced` at, if that is fewer.
  [[nodiscard]] static double Bound(double priced, double calibrated, double least) {
    if (calibrated >= priced) return calibrated;
    return std::max({calibrated, 0.0, std::min(priced, least)});
  }

 private:
  [[nodiscard]] double ComputeSeconds(const Operator& op) const {
    return op.flops * seconds_per_flop_[static_cast<size_t>(op.format.number)];
  }

  double compute_factor_;
  std::array<double, kNumberFormats> seconds_per_flop_{};  // by NumberFormat
  double seconds_per_byte_ = 0;
};

}  // namespace tokensim
