#include "engine/workload/capped_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "engine/base/invariant.h"
#include "engine/workload/test_traffic.h"

namespace tokensim {
namespace {

Workload Trace(std::vector<SimTime> times, int64_t places) {
  Workload workload;
  workload.num_requests = static_cast<int64_t>(times.size());
  workload.arrivals = TraceArrivals{1};
  workload.lengths = TraceLengths{};
  TraceTable trace;
  for (size_t i = 0; i < times.size(); ++i) {
    trace.input_tokens.push_back(static_cast<int32_t>(i) + 1);
    trace.output_tokens.push_back(1);
  }
  trace.arrival = std::move(times);
  workload.trace = std::make_shared<const TraceTable>(std::move(trace));
  workload.max_in_flight = places;
  return workload;
}

// When the next request is sent; kNever: it waits.
SimTime Next(const RequestSource& source) {
  return source.Peek() == nullptr ? kNever : source.Peek()->arrival;
}

TEST(CappedSource, WaitsForAPlace) {
  const auto source = MakeRequestSource(Trace({0, 10, 20, 30}, 2), 1);
  EXPECT_TRUE(source->reactive());
  EXPECT_EQ(Next(*source), 0);
  source->Pop();
  EXPECT_EQ(Next(*source), 10);
  source->Pop();
  EXPECT_EQ(Next(*source), kNever);
  source->OnEnded(-1, 100);
  EXPECT_EQ(Next(*source), 100);
  EXPECT_EQ(source->Peek()->input_tokens, 3);
  source->Pop();
  EXPECT_EQ(Next(*source), kNever);
  source->OnRejected(-1, 150);
  EXPECT_EQ(Next(*source), 150);
}

TEST(CappedSource, APlaceThatIsFreeInTimeChangesNothing) {
  const auto source = MakeRequestSource(Trace({0, 10, 20}, 1), 1);
  source->Pop();
  source->OnEnded(-1, 7);
  EXPECT_EQ(Next(*source), 10);
  source->Pop();
  source->OnEnded(-1, 12);
  EXPECT_EQ(Next(*source), 20);
}

// Ends are told when the worker is done, and count when the client hears of them.
TEST(CappedSource, PlacesAreTakenInTheOrderTheyBecomeFree) {
  const auto source = MakeRequestSource(Trace({0, 0, 1, 2}, 2), 1);
  source->Pop();
  source->Pop();
  source->OnEnded(-1, 100);
  source->OnEnded(-1, 105);
  source->OnRejected(-1, 103);
  EXPECT_EQ(Next(*source), 100);
  source->Pop();
  EXPECT_EQ(Next(*source), 103);
  source->OnRejected(-1, 90);
  EXPECT_EQ(Next(*source), 100) << "not before the one before";
}

TEST(CappedSource, NothingIsSentAfterTheDuration) {
  Workload workload = Trace({0, 1, 2}, 1);
  workload.duration = 50;
  const auto source = MakeRequestSource(workload, 1);
  source->Pop();
  source->OnEnded(-1, 60);
  EXPECT_EQ(source->Peek(), nullptr);
}

TEST(CappedSource, WithRoomForAllItIsTheTraceItself) {
  const auto plain = MakeRequestSource(Trace({0, 3, 9}, 0), 1);
  const auto capped = MakeRequestSource(Trace({0, 3, 9}, 3), 1);
  for (; plain->Peek() != nullptr; plain->Pop(), capped->Pop()) {
    ASSERT_NE(capped->Peek(), nullptr);
    EXPECT_EQ(plain->Peek()->arrival, capped->Peek()->arrival);
  }
  EXPECT_EQ(capped->Peek(), nullptr);
}

}  // namespace
}  // namespace tokensim
