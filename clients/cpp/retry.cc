#include "clients/cpp/retry.h"

#include <algorithm>

namespace tokensim::client {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstCeiling{50};
constexpr milliseconds kLastCeiling{2000};

bool Retryable(const Error& error) {
  return error.code == absl::StatusCode::kUnavailable ||
         (error.code == absl::StatusCode::kResourceExhausted && error.retry_after.has_value());
}

}  // namespace

std::optional<milliseconds> Backoff::NextDelay(const Error& error, Clock::time_point now) {
  if (!Retryable(error)) return std::nullopt;
  if (!first_failure_) first_failure_ = now;
  const milliseconds ceiling =
      std::min(kLastCeiling, kFirstCeiling * (1 << std::min(attempts_, 6)));
  ++attempts_;
  std::uniform_int_distribution<int64_t> jitter(0, ceiling.count());
  const milliseconds delay =
      error.retry_after.value_or(milliseconds(0)) + milliseconds(jitter(rng_));
  if (now + delay > *first_failure_ + max_wait_) return std::nullopt;
  return delay;
}

}  // namespace tokensim::client
