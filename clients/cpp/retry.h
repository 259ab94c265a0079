// When to try a call again, and after which wait.
//
// UNAVAILABLE is retried, and RESOURCE_EXHAUSTED when the server says how long to wait; nothing
// else. Waits have full jitter: uniform in [0, min(2 s, 50 ms * 2^attempt)], on top of what the
// server asks for. The waits of one series end with `max_wait` after its first failure.
// Thread-safety: one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>

#include "clients/cpp/error.h"

namespace tokensim::client {

class Backoff {
 public:
  using Clock = std::chrono::steady_clock;

  Backoff(std::chrono::milliseconds max_wait, uint64_t seed) : max_wait_(max_wait), rng_(seed) {}

  // The wait before the next attempt; nothing when `error` is final or the patience is used up.
  [[nodiscard]] std::optional<std::chrono::milliseconds> NextDelay(const Error& error,
                                                                   Clock::time_point now);
  // An attempt made progress: the next failure starts a new series.
  void Reset() { *this = Backoff(max_wait_, rng_()); }

 private:
  std::chrono::milliseconds max_wait_;
  std::mt19937_64 rng_;
  int attempts_ = 0;
  std::optional<Clock::time_point> first_failure_;
};

}  // namespace tokensim::client
