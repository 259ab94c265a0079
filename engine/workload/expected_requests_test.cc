// Traffic that ends at a time: what the sources make of it, and how many requests are expected.
#include "engine/workload/expected_requests.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>

#include "engine/workload/test_draws.h"

namespace tokensim {
namespace {

constexpr SimTime kSecond = kNanosPerSecond;

Workload Until(double seconds, Arrivals arrivals, Lengths lengths = IndependentLengths{},
               TraceTable trace = {}) {
  Workload workload = Make(0, std::move(arrivals), std::move(lengths), std::move(trace));
  workload.duration = FromSeconds(seconds);
  workload.num_requests = ExpectedRequests(workload, kSeed, 0.01);
  return workload;
}

TEST(Duration, IsHalfOpen) {
  // At 0, 0.1, ... 1.9; the one at 2 s is too late.
  const Workload workload = Until(2, ConstantArrivals{10});
  EXPECT_EQ(Draw(workload).size(), 20u);
  EXPECT_EQ(workload.num_requests, 20);
}

TEST(Duration, TheLastNanosecondCounts) {
  const TraceTable trace{
      .arrival = {0, kSecond - 1, kSecond}, .input_tokens = {1, 2, 3}, .output_tokens = {1, 1, 1}};
  Workload plain = Until(1, TraceArrivals{1}, TraceLengths{}, trace);
  EXPECT_EQ(Inputs(Draw(plain)), (std::vector<int32_t>{1, 2}));
  Workload classed = plain;
  classed.classes = {{1, std::nullopt}};
  EXPECT_EQ(Inputs(Draw(classed)), (std::vector<int32_t>{1, 2}));
}

TEST(Duration, ChangesNothingBeforeItsEnd) {
  const std::vector<Arrivals> processes = {
      PoissonArrivals{8},
      GammaArrivals{8, 2},
      WeibullArrivals{8, 0.5},
      ConstantArrivals{8},
      BurstArrivals{16, 2},
      PiecewiseArrivals{.segments = {{20, 0, 16}, {30, 8, 8}}, .repeat = true}};
  for (const Arrivals& process : processes) {
    const Workload workload = Until(100, process);
    const std::vector<SimTime> times = Times(Draw(workload));
    ASSERT_FALSE(times.empty());
    EXPECT_LT(times.back(), 100 * kSecond);
    // The same process, counted: the next request is past the end.
    Workload counted = workload;
    counted.duration = kNever;
    counted.num_requests = static_cast<int64_t>(times.size()) + 1;
    std::vector<SimTime> all = Times(Draw(counted));
    EXPECT_GE(all.back(), 100 * kSecond);
    all.pop_back();
    EXPECT_EQ(times, all);
    // 800 expected; five standard deviations of the burstiest, and the start of renewal processes.
    const auto expected = static_cast<double>(workload.num_requests);
    EXPECT_NEAR(expected, 800, 1) << process.process->name();
    EXPECT_NEAR(static_cast<double>(times.size()), expected, 5 * std::sqrt(4 * expected));
  }
}

TEST(Duration, ARateThatEndsAtZeroEndsTheArrivals) {
  const Workload workload =
      Until(1'000, PiecewiseArrivals{.segments = {{100, 0, 20}, {50, 20, 0}}});
  EXPECT_EQ(workload.num_requests, 1'500);
  const std::vector<SimTime> times = Times(Draw(workload));
  EXPECT_LE(times.back(), 150 * kSecond);
  EXPECT_NEAR(static_cast<double>(times.size()), 1'500, 5 * std::sqrt(1'500.0));
}

TEST(Duration, ATraceRepeatsUntilThen) {
  // Span 2 s and a mean gap of 1 s: a period of 3 s; half of it at twice the speed.
  TraceTable trace{
      .arrival = {0, kSecond, 2 * kSecond}, .input_tokens = {1, 2, 3}, .output_tokens = {1, 1, 1}};
  const Workload workload = Until(4, TraceArrivals{2}, TraceLengths{}, trace);
  // 0, 0.5, 1 | 1.5, 2, 2.5 | 3, 3.5, and 4 is too late.
  EXPECT_EQ(Inputs(Draw(workload)), (std::vector<int32_t>{1, 2, 3, 1, 2, 3, 1, 2}));
  EXPECT_EQ(workload.num_requests, 8);
}

TEST(Duration, ShorterThanTheFirstGapMeansNoRequest) {
  const Workload workload = Until(1e-9, PoissonArrivals{0.001});
  EXPECT_EQ(workload.num_requests, 1);
  EXPECT_TRUE(Draw(workload).empty());
}

TEST(ExpectedRequests, OfBurstsTheOneUnderWayIsWhole) {
  // At 0, 2 and 4 s; the one at 6 s is too late.
  EXPECT_EQ(Until(5, BurstArrivals{10, 2}).num_requests, 30);
  EXPECT_EQ(Until(6, BurstArrivals{10, 2}).num_requests, 30);
  EXPECT_EQ(Draw(Until(5, BurstArrivals{10, 2})).size(), 30u);
}

TEST(ExpectedRequests, TurnsOfConversations) {
  Workload workload = Make(0, PoissonArrivals{2});
  workload.duration = 100 * kSecond;
  // Half have one turn, the others 2 .. 6: 2.5 in the mean.
  workload.conversations = ConversationConfig{
      .single_turn_share = 0.5, .min_turns = 2, .max_turns = 6, .think_time = FixedDuration{1}};
  EXPECT_NEAR(static_cast<double>(ExpectedRequests(workload, kSeed, 0.01)), 500, 25);
}

TEST(ExpectedRequests, UsersOfAClosedLoop) {
  // 50 tokens of 10 ms and 1.5 s of thinking: a request every 2 s.
  Workload workload = Make(0, ClosedLoopArrivals{.users = 10, .think_time = UniformDuration{1, 2}},
                           IndependentLengths{FixedLength{5}, FixedLength{50}});
  workload.duration = 100 * kSecond;
  EXPECT_EQ(ExpectedRequests(workload, kSeed, 0.01), 510);
  EXPECT_EQ(ExpectedRequests(workload, kSeed, 0), 677);
  workload.arrivals = ClosedLoopArrivals{.users = 10};
  EXPECT_EQ(ExpectedRequests(workload, kSeed, 0), std::numeric_limits<int64_t>::max())
      << "nothing takes any time";
}

}  // namespace
}  // namespace tokensim
