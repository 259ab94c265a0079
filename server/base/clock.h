// The server's only source of time, so that tests can set it.
//
// Now() is wall time, for timestamps shown to people; Steady() never goes back, for delays and
// time-outs. Thread-safe.
#pragma once

#include <chrono>

#include "google/protobuf/timestamp.pb.h"

namespace tokensim {

using WallTime = std::chrono::system_clock::time_point;
using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime Now() const = 0;
  [[nodiscard]] virtual SteadyTime Steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallTime Now() const override { return std::chrono::system_clock::now(); }
  [[nodiscard]] SteadyTime Steady() const override { return std::chrono::steady_clock::now(); }
};

// Stands still until it is told otherwise. Not thread-safe.
class FakeClock final : public Clock {
 public:
  [[nodiscard]] WallTime Now() const override { return WallTime(elapsed_); }
  [[nodiscard]] SteadyTime Steady() const override { return SteadyTime(elapsed_); }
  void Advance(std::chrono::nanoseconds by) { elapsed_ += by; }

 private:
  std::chrono::nanoseconds elapsed_ = std::chrono::hours(1'000'000 / 2);
};

[[nodiscard]] google::protobuf::Timestamp ToTimestamp(WallTime time);
[[nodiscard]] double Seconds(std::chrono::nanoseconds duration);

}  // namespace tokensim
