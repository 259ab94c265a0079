#include "engine/report/notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/report/test_runs.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// `num` requests, one a second; request i waits queueing(i).
template <typename Queueing>
Results Steady(int64_t num, Queueing queueing) {
  Results results = OneWorkerResults();
  results.arrived = num;
  for (int64_t i = 0; i < num; ++i) {
    const SimTime arrival = i * kSecond;
    const SimTime scheduled = arrival + queueing(i);
    results.records.Add(Finished(i, arrival, scheduled, scheduled + kSecond,
                                 scheduled + 3 * kSecond, 10, 3, kSecond));
    results.end_time = std::max(results.end_time, scheduled + 3 * kSecond);
  }
  return results;
}

TEST(Notes, SaturationWhenTheQueueGrows) {
  const Results results = Steady(400, [](int64_t i) { return i * kSecond; });
  EXPECT_THAT(BuildReport(OneWorkerPlan(400), results).notes,
              ElementsAre("Saturated: requests arrive at 1.00/s and finish at 0.50/s, and the "
                          "median queueing time grows from 49.500 s in the first quarter of "
                          "arrivals to 349.500 s in the last. Latencies depend on the length of "
                          "the run."));
}

TEST(Notes, NoSaturationWhenTheQueueIsStable) {
  const auto stable = [](int64_t i) { return (i * 7919 % 13) * 100 * kMs; };
  EXPECT_THAT(BuildReport(OneWorkerPlan(400), Steady(400, stable)).notes, IsEmpty());
  // Grows, but stays small against the latency.
  const auto small = [](int64_t i) { return i * kMs; };
  EXPECT_THAT(BuildReport(OneWorkerPlan(400), Steady(400, small)).notes, IsEmpty());
  // A hump in the middle that goes away.
  const auto hump = [](int64_t i) { return std::min(i, 400 - i) * kSecond; };
  EXPECT_THAT(BuildReport(OneWorkerPlan(400), Steady(400, hump)).notes, IsEmpty());
}

TEST(Notes, HeavyPreemption) {
  Results results = Steady(100, [](int64_t) { return 0; });
  results.workers[0].preemptions = 12;
  results.workers[0].prefill_tokens = 1500;
  for (size_t i = 0; i < 4; ++i) SetField(i, &RequestRecord::preemptions, 3, &results);
  EXPECT_THAT(BuildReport(OneWorkerPlan(100), results).notes,
              ElementsAre("The KV cache is short: 12 preemptions, at least one for 4 of 100 "
                          "finished requests; 1500 prompt tokens were computed, recomputation "
                          "included."));
  results.workers[0].preemptions = 4;
  EXPECT_THAT(BuildReport(OneWorkerPlan(100), results).notes, IsEmpty());
}

TEST(Notes, RequestsThatNoWorkerServed) {
  Results results = OneWorkerResults();
  results.arrived = 2;
  results.records = {Rejected(0, 0, RejectReason::kNoWorker),
                     Finished(1, 0, 0, kSecond, 2 * kSecond, 1, 2, kSecond)};
  results.redispatched = 3;
  const Report report = BuildReport(OneWorkerPlan(2), results);
  EXPECT_EQ(report.rejected_no_worker, 1);
  EXPECT_EQ(report.rejected(), 1);
  EXPECT_THAT(report.notes,
              ElementsAre("1 of 2 requests were rejected: they waited for a worker until the end "
                          "of the run.",
                          "Requests lost their worker or their KV cache to a failure 3 times and "
                          "began again."));
}

// As DisaggregatedRun, without the rejected request.
Results QuietRun() {
  Results results = DisaggregatedRun();
  std::vector<RequestRecord> rows = results.records.Rows();
  rows.erase(rows.begin() + 2);
  results.records = rows;
  results.arrived = 3;
  return results;
}

TEST(Notes, SaturatedLinks) {
  Results results = QuietRun();
  EXPECT_THAT(BuildReport(DisaggregatedPlan(), results).notes, IsEmpty());  // 90 % is not above
  results.links[0].bytes = 1045;
  EXPECT_THAT(BuildReport(DisaggregatedPlan(), results).notes,
              ElementsAre("Links are saturated: 1 carried more than 90 % of what they can in the "
                          "simulated time, gpu/0 out the most (95.0 %)."));
  results.links[1].bytes_per_second = 1;
  results.links[1].bytes = 11;
  EXPECT_THAT(BuildReport(DisaggregatedPlan(), results).notes,
              ElementsAre(HasSubstr("2 carried more than 90 % of what they can in the simulated "
                                    "time, unlimited the most (100.0 %).")));
}

TEST(Notes, TheSideThatHoldsTheRunUp) {
  const auto notes = [](double prefill, double decode, Role decode_role = Role::kDecode) {
    Plan plan = DisaggregatedPlan();
    plan.workers[1].role = decode_role;
    Results results = QuietRun();
    results.workers[0].busy = FromSeconds(prefill * 11);
    results.workers[1].busy = FromSeconds(decode * 11);
    return BuildReport(plan, results).notes;
  };
  EXPECT_THAT(notes(0.96, 0.49), ElementsAre("Prefill is the bottleneck: prefill workers are busy "
                                             "96.0 % of the time, decode workers 49.0 %."));
  EXPECT_THAT(notes(0.2, 1), ElementsAre("Decode is the bottleneck: prefill workers are busy "
                                         "20.0 % of the time, decode workers 100.0 %."));
  EXPECT_THAT(notes(0.96, 0.51), IsEmpty());
  EXPECT_THAT(notes(0.94, 0.1), IsEmpty());
  EXPECT_THAT(notes(1, 0.1, Role::kBoth), IsEmpty());
}

}  // namespace
}  // namespace tokensim
