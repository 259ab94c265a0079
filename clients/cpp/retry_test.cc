#include "clients/cpp/retry.h"

#include <gtest/gtest.h>

#include <set>

namespace tokensim::client {
namespace {

using std::chrono::milliseconds;

Error Make(absl::StatusCode code, std::optional<milliseconds> retry_after = std::nullopt) {
  Error error;
  error.code = code;
  error.retry_after = retry_after;
  return error;
}

TEST(Backoff, OnlyWhatTheServerMayRecoverFromIsRetried) {
  Backoff backoff(milliseconds(60'000), 1);
  const Backoff::Clock::time_point now;
  EXPECT_TRUE(backoff.NextDelay(Make(absl::StatusCode::kUnavailable), now));
  EXPECT_TRUE(backoff.NextDelay(Make(absl::StatusCode::kResourceExhausted, milliseconds(10)), now));
  EXPECT_FALSE(backoff.NextDelay(Make(absl::StatusCode::kResourceExhausted), now));
  for (absl::StatusCode code :
       {absl::StatusCode::kInvalidArgument, absl::StatusCode::kNotFound,
        absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kInternal,
        absl::StatusCode::kFailedPrecondition, absl::StatusCode::kCancelled}) {
    EXPECT_FALSE(backoff.NextDelay(Make(code), now)) << absl::StatusCodeToString(code);
  }
}

TEST(Backoff, WaitsGrowUpToTwoSecondsAndDiffer) {
  Backoff backoff(std::chrono::hours(1), 1);
  const Backoff::Clock::time_point now;
  milliseconds longest{0};
  std::set<int64_t> distinct;
  for (int i = 0; i < 200; ++i) {
    const auto delay = backoff.NextDelay(Make(absl::StatusCode::kUnavailable), now);
    ASSERT_TRUE(delay);
    EXPECT_LE(delay->count(), i == 0 ? 50 : 2000);
    longest = std::max(longest, *delay);
    distinct.insert(delay->count());
  }
  EXPECT_GT(longest.count(), 1500);
  EXPECT_GT(distinct.size(), 100u);
}

TEST(Backoff, WaitsAtLeastAsLongAsTheServerAsks) {
  Backoff backoff(milliseconds(10'000), 1);
  const auto delay = backoff.NextDelay(Make(absl::StatusCode::kUnavailable, milliseconds(700)), {});
  ASSERT_TRUE(delay);
  EXPECT_GE(delay->count(), 700);
}

TEST(Backoff, PatienceEndsAfterMaxWaitAndIsRenewedByProgress) {
  Backoff backoff(milliseconds(1000), 1);
  const Error error = Make(absl::StatusCode::kUnavailable);
  const Backoff::Clock::time_point start;
  EXPECT_TRUE(backoff.NextDelay(error, start));
  EXPECT_FALSE(backoff.NextDelay(error, start + milliseconds(1001)));
  backoff.Reset();
  EXPECT_TRUE(backoff.NextDelay(error, start + milliseconds(1001)));
}

TEST(Backoff, NoPatienceMeansNoRetryThatWaits) {
  Backoff backoff(milliseconds(0), 7);
  int retries = 0;
  while (backoff.NextDelay(Make(absl::StatusCode::kUnavailable, milliseconds(1)), {})) ++retries;
  EXPECT_EQ(retries, 0);
}

}  // namespace
}  // namespace tokensim::client
