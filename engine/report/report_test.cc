#include "engine/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr SimTime kMs = 1'000'000;
constexpr SimTime kSecond = kNanosPerSecond;

Plan OneWorkerPlan(int64_t num_requests) {
  Plan plan;
  plan.name = "hand";
  plan.seed = 42;
  plan.workers.push_back({.name = "gpu/0",
                          .hardware = "A100",
                          .compute = nullptr,
                          .scheduler = {},
                          .kv_blocks = 100,
                          .block_size = 16,
                          .max_model_len = 4096});
  plan.workload.num_requests = num_requests;
  plan.workload.arrivals = BurstArrivals{.size = 1, .interval_seconds = 1};
  plan.workload.lengths = IndependentLengths{FixedLength{1}, FixedLength{1}};
  return plan;
}

RequestRecord Finished(int64_t id, SimTime arrival, SimTime scheduled, SimTime first,
                       SimTime finish, int32_t input, int32_t output, SimTime max_itl) {
  RequestRecord r;
  r.request_id = id;
  r.arrival = arrival;
  r.queued = arrival;
  r.scheduled = scheduled;
  r.first_token = first;
  r.finish = finish;
  r.max_itl = max_itl;
  r.input_tokens = input;
  r.output_tokens = output;
  r.worker = 0;
  return r;
}

RequestRecord Rejected(int64_t id, SimTime arrival, RejectReason reason) {
  RequestRecord r;
  r.request_id = id;
  r.arrival = arrival;
  r.finish = arrival;
  r.worker = 0;
  r.input_tokens = 9000;
  r.output_tokens = 10;
  r.reject_reason = reason;
  return r;
}

Results OneWorkerResults() {
  Results results;
  results.first_arrival = 0;
  results.end_reason = EndReason::kCompleted;
  results.workers.resize(1);
  results.timelines.resize(1);
  return results;
}

// Three requests and a rejected one, computed by hand.
Results SmallRun() {
  Results results = OneWorkerResults();
  results.first_arrival = 500 * kMs;
  results.end_time = 11 * kSecond;
  results.events = 17;
  results.arrived = 4;
  results.records = {
      // TTFT 0.5, E2E 2.5, queueing 0.1, TPOT 2/4, normalized 2.5/5
      Finished(1, 1 * kSecond, 1100 * kMs, 1500 * kMs, 3500 * kMs, 100, 5, 700 * kMs),
      // TTFT 1, E2E 1, queueing 0.2, no TPOT, normalized 1/1
      Finished(2, 3 * kSecond, 3200 * kMs, 4 * kSecond, 4 * kSecond, 200, 1, kUnset),
      Rejected(0, 500 * kMs, RejectReason::kMaxModelLen),
      // TTFT 2, E2E 6.5, queueing 0.6, TPOT 4.5/9, normalized 6.5/10
      Finished(3, 4 * kSecond, 4600 * kMs, 6 * kSecond, 10500 * kMs, 300, 10, 900 * kMs),
  };
  results.records[3].preemptions = 2;
  WorkerStats& worker = results.workers[0];
  worker.finished = 3;
  worker.busy = 5500 * kMs;
  worker.running_integral = 22;
  worker.kv_blocks_integral = 330;
  results.timelines[0] = {.interval = kSecond,
                          .running = {1, 2},
                          .waiting = {0, 3},
                          .kv_blocks_used = {10, 20},
                          .busy = {0.5, 1}};
  return results;
}

TEST(BuildReport, CountsAndThroughput) {
  const Report report = BuildReport(OneWorkerPlan(4), SmallRun());
  EXPECT_EQ(report.spec_name, "hand");
  EXPECT_EQ(report.seed, 42u);
  EXPECT_EQ(report.end_reason, EndReason::kCompleted);
  EXPECT_EQ(report.total, 4);
  EXPECT_EQ(report.finished, 3);
  EXPECT_EQ(report.rejected_max_model_len, 1);
  EXPECT_EQ(report.rejected_kv_capacity, 0);
  EXPECT_EQ(report.unfinished, 0);
  EXPECT_EQ(report.preemptions, 2);
  EXPECT_EQ(report.events, 17);
  EXPECT_DOUBLE_EQ(report.simulated_seconds, 11);
  // From the arrival of the rejected request to the last finish.
  EXPECT_DOUBLE_EQ(report.span_seconds, 10);
  EXPECT_DOUBLE_EQ(report.requests_per_second, 0.3);
  EXPECT_DOUBLE_EQ(report.input_tokens_per_second, 60);
  EXPECT_DOUBLE_EQ(report.output_tokens_per_second, 1.6);
  EXPECT_FALSE(report.slo.has_value());
}

TEST(BuildReport, Distributions) {
  const Report report = BuildReport(OneWorkerPlan(4), SmallRun());
  EXPECT_EQ(report.ttft_seconds.count, 3);
  EXPECT_DOUBLE_EQ(report.ttft_seconds.p50, 1);
  EXPECT_DOUBLE_EQ(report.ttft_seconds.p90, 1.8);
  EXPECT_DOUBLE_EQ(report.ttft_seconds.mean, 3.5 / 3);
  EXPECT_EQ(report.tpot_seconds.count, 2);
  EXPECT_DOUBLE_EQ(report.tpot_seconds.min, 0.5);
  EXPECT_DOUBLE_EQ(report.tpot_seconds.max, 0.5);
  EXPECT_DOUBLE_EQ(report.e2e_seconds.max, 6.5);
  EXPECT_DOUBLE_EQ(report.e2e_seconds.p50, 2.5);
  EXPECT_DOUBLE_EQ(report.queueing_seconds.mean, 0.3);
  EXPECT_DOUBLE_EQ(report.queueing_seconds.p50, 0.2);
  EXPECT_DOUBLE_EQ(report.normalized_latency_seconds.min, 0.5);
  EXPECT_DOUBLE_EQ(report.normalized_latency_seconds.p50, 0.65);
  EXPECT_DOUBLE_EQ(report.normalized_latency_seconds.max, 1);
  EXPECT_EQ(report.max_itl_seconds.count, 2);
  EXPECT_DOUBLE_EQ(report.max_itl_seconds.p50, 0.8);
  EXPECT_DOUBLE_EQ(report.input_tokens.mean, 200);
  EXPECT_DOUBLE_EQ(report.output_tokens.max, 10);
}

TEST(BuildReport, Workers) {
  const Report report = BuildReport(OneWorkerPlan(4), SmallRun());
  ASSERT_EQ(report.workers.size(), 1u);
  const WorkerSummary& worker = report.workers[0];
  EXPECT_EQ(worker.name, "gpu/0");
  EXPECT_EQ(worker.hardware, "A100");
  EXPECT_EQ(worker.stats.finished, 3);
  EXPECT_DOUBLE_EQ(worker.utilization, 0.5);
  EXPECT_DOUBLE_EQ(worker.mean_running, 2);
  EXPECT_DOUBLE_EQ(worker.mean_kv_utilization, 0.3);
  EXPECT_EQ(worker.kv_blocks_total, 100);
  EXPECT_EQ(worker.block_size, 16);
  EXPECT_EQ(worker.timeline.interval, kSecond);
  EXPECT_THAT(worker.timeline.waiting, ElementsAre(0, 3));
  EXPECT_THAT(worker.timeline.kv_blocks_used, ElementsAre(10, 20));
}

TEST(BuildReport, SloCountsEachObjectiveAndAll) {
  Plan plan = OneWorkerPlan(4);
  plan.slo = {.ttft = kSecond, .tpot = 500 * kMs, .max_itl = 800 * kMs, .e2e = std::nullopt};
  const Report report = BuildReport(plan, SmallRun());
  ASSERT_TRUE(report.slo.has_value());
  EXPECT_EQ(report.slo->met_ttft, 2);     // the limit itself is met
  EXPECT_EQ(report.slo->met_tpot, 3);     // one-token outputs meet it
  EXPECT_EQ(report.slo->met_max_itl, 2);  // as well
  EXPECT_EQ(report.slo->met_e2e, std::nullopt);
  EXPECT_EQ(report.slo->met, 2);
  EXPECT_DOUBLE_EQ(report.slo->attainment, 0.5);
  EXPECT_DOUBLE_EQ(report.slo->goodput_requests_per_second, 0.2);
  EXPECT_DOUBLE_EQ(report.slo->goodput_output_tokens_per_second, 0.6);
}

TEST(BuildReport, TpotObjectiveIsExact) {
  Plan plan = OneWorkerPlan(1);
  Results results = OneWorkerResults();
  results.arrived = 1;
  results.end_time = kSecond;
  // Three gaps of 10 ns in all: 3 1/3 ns each.
  results.records = {Finished(0, 0, 10, 100, 110, 1, 4, 4)};
  plan.slo.tpot = 3;
  EXPECT_EQ(BuildReport(plan, results).slo->met, 0);
  plan.slo.tpot = 4;
  EXPECT_EQ(BuildReport(plan, results).slo->met, 1);
}

TEST(BuildReport, NothingFinished) {
  Plan plan = OneWorkerPlan(1);
  plan.slo.e2e = kSecond;
  Results results = OneWorkerResults();
  results.arrived = 1;
  results.records = {Rejected(0, 0, RejectReason::kKvCapacity)};
  const Report report = BuildReport(plan, results);
  EXPECT_EQ(report.finished, 0);
  EXPECT_EQ(report.rejected_kv_capacity, 1);
  EXPECT_EQ(report.span_seconds, 0);
  EXPECT_EQ(report.requests_per_second, 0);
  EXPECT_EQ(report.ttft_seconds.count, 0);
  EXPECT_EQ(report.slo->attainment, 0);
  EXPECT_EQ(report.workers[0].utilization, 0);
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("1 of 1 requests were rejected: they do not fit"),
                                        "No request finished."));
}

TEST(BuildReport, EarlyStopCountsWhatIsLeft) {
  Plan plan = OneWorkerPlan(10);
  Results results = OneWorkerResults();
  results.end_reason = EndReason::kMaxSimulatedTime;
  results.end_time = 5 * kSecond;
  results.arrived = 6;
  // Request 0 arrived at time 0 and did not finish: the span still starts there.
  results.records = {Finished(1, kSecond, kSecond, 2 * kSecond, 4 * kSecond, 1, 3, kSecond)};
  const Report report = BuildReport(plan, results);
  EXPECT_EQ(report.unfinished, 5);
  EXPECT_DOUBLE_EQ(report.span_seconds, 4);
  EXPECT_THAT(report.notes,
              ElementsAre("The run was stopped by max_simulated_time after 5.000 s: of 10 requests "
                          "5 had not finished and 4 had not arrived. Latencies are those of "
                          "finished requests."));
}

// `num` requests, one a second; request i waits queueing(i).
template <typename Queueing>
Results Steady(int64_t num, Queueing queueing) {
  Results results = OneWorkerResults();
  results.arrived = num;
  for (int64_t i = 0; i < num; ++i) {
    const SimTime arrival = i * kSecond;
    const SimTime scheduled = arrival + queueing(i);
    results.records.push_back(Finished(i, arrival, scheduled, scheduled + kSecond,
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
  for (int i = 0; i < 4; ++i) results.records[static_cast<size_t>(i)].preemptions = 3;
  EXPECT_THAT(BuildReport(OneWorkerPlan(100), results).notes,
              ElementsAre("The KV cache is short: 12 preemptions, at least one for 4 of 100 "
                          "finished requests; 1500 prompt tokens were computed, recomputation "
                          "included."));
  results.workers[0].preemptions = 4;
  EXPECT_THAT(BuildReport(OneWorkerPlan(100), results).notes, IsEmpty());
}

TEST(BuildReport, PlainPlansHaveNoneOfTheOptionalParts) {
  Results results = SmallRun();
  results.records[0].cached_tokens = 10;
  results.records[0].kv_transfer = kMs;
  results.workers[0].prefilled = 3;
  const Report report = BuildReport(OneWorkerPlan(4), results);
  EXPECT_TRUE(report.classes.empty());
  EXPECT_FALSE(report.cache.has_value());
  EXPECT_FALSE(report.transfers.has_value());
  EXPECT_EQ(report.workers[0].prefilled, 0);
  EXPECT_EQ(report.workers[0].role, Role::kBoth);
}

// Class 0: requests 1 and 0 (rejected); class 1: requests 2 and 3.
Results TwoClassRun() {
  Results results = SmallRun();
  results.records[1].client_class = 1;
  results.records[3].client_class = 1;
  return results;
}

TEST(BuildReport, ClassesAreCountedApart) {
  Plan plan = OneWorkerPlan(4);
  plan.classes = {{.name = "chat", .priority = -1, .slo = {}},
                  {.name = "batch", .priority = 5, .slo = {}},
                  {.name = "idle", .priority = 0, .slo = {}}};
  const Report report = BuildReport(plan, TwoClassRun());
  EXPECT_EQ(report.finished, 3);
  EXPECT_EQ(report.ttft_seconds.count, 3);
  ASSERT_EQ(report.classes.size(), 3u);
  const ClassSummary& chat = report.classes[0];
  EXPECT_EQ(chat.name, "chat");
  EXPECT_EQ(chat.priority, -1);
  EXPECT_EQ(chat.finished, 1);
  EXPECT_EQ(chat.rejected, 1);
  EXPECT_DOUBLE_EQ(chat.ttft_seconds.mean, 0.5);
  EXPECT_DOUBLE_EQ(chat.tpot_seconds.mean, 0.5);
  EXPECT_FALSE(chat.slo.has_value());
  const ClassSummary& batch = report.classes[1];
  EXPECT_EQ(batch.finished, 2);
  EXPECT_EQ(batch.rejected, 0);
  EXPECT_DOUBLE_EQ(batch.ttft_seconds.mean, 1.5);
  EXPECT_EQ(batch.tpot_seconds.count, 1);
  EXPECT_DOUBLE_EQ(batch.e2e_seconds.max, 6.5);
  EXPECT_EQ(report.classes[2].e2e_seconds.count, 0);
  EXPECT_FALSE(report.slo.has_value());
}

TEST(BuildReport, EveryRequestIsJudgedByTheSloOfItsClass) {
  Plan plan = OneWorkerPlan(4);
  plan.slo.ttft = 10 * kSecond;  // what the classes default to; nobody is judged by it here
  plan.classes = {{.name = "chat", .priority = 0, .slo = {.ttft = 400 * kMs}},
                  {.name = "batch", .priority = 0, .slo = {.ttft = kSecond, .e2e = 3 * kSecond}}};
  const Report report = BuildReport(plan, TwoClassRun());
  ASSERT_TRUE(report.classes[0].slo && report.classes[1].slo && report.slo);
  // Request 1: TTFT 0.5 misses 0.4. Request 2: TTFT 1 and E2E 1 meet. Request 3: TTFT 2 misses.
  EXPECT_EQ(report.classes[0].slo->met, 0);
  EXPECT_DOUBLE_EQ(report.classes[0].slo->attainment, 0);
  EXPECT_FALSE(report.classes[0].slo->met_e2e.has_value());
  EXPECT_EQ(report.classes[1].slo->met, 1);
  EXPECT_DOUBLE_EQ(report.classes[1].slo->attainment, 0.5);
  EXPECT_DOUBLE_EQ(report.classes[1].slo->goodput_requests_per_second, 0.1);
  EXPECT_EQ(report.classes[1].slo->met_e2e, 1);
  EXPECT_EQ(report.slo->met, 1);
  EXPECT_DOUBLE_EQ(report.slo->attainment, 0.25);
  EXPECT_EQ(report.slo->met_ttft, 1);
  // Nobody asks an E2E of the first class: its request meets it.
  EXPECT_EQ(report.slo->met_e2e, 2);
}

TEST(BuildReport, OnlyAClassMayHaveAnSlo) {
  Plan plan = OneWorkerPlan(4);
  plan.classes = {{.name = "chat", .priority = 0, .slo = {}},
                  {.name = "batch", .priority = 0, .slo = {.e2e = 2 * kSecond}}};
  const Report report = BuildReport(plan, TwoClassRun());
  EXPECT_FALSE(report.classes[0].slo.has_value());
  EXPECT_EQ(report.classes[1].slo->met, 1);
  EXPECT_EQ(report.slo->met, 2);
  EXPECT_FALSE(report.slo->met_ttft.has_value());
}

TEST(BuildReport, CacheHitsOfFinishedRequests) {
  Plan plan = OneWorkerPlan(4);
  plan.workers[0].prefix_caching = true;
  Results results = SmallRun();
  results.records[0].cached_tokens = 30;
  results.records[2].cached_tokens = 1000;  // rejected
  results.records[3].cached_tokens = 120;
  const Report report = BuildReport(plan, results);
  ASSERT_TRUE(report.cache.has_value());
  EXPECT_EQ(report.cache->input_tokens, 600);
  EXPECT_EQ(report.cache->cached_tokens, 150);
  EXPECT_DOUBLE_EQ(report.cache->hit_ratio, 0.25);

  plan.workers[0].prefix_caching = false;
  EXPECT_FALSE(BuildReport(plan, results).cache.has_value());
  plan.memory_pool.emplace();
  results.pool = {.hit_tokens = 90, .evicted_tokens = 7, .max_bytes = 4096, .bytes = {1, 2}};
  const Report pooled = BuildReport(plan, results);
  EXPECT_EQ(pooled.cache->pool.hit_tokens, 90);
  EXPECT_THAT(pooled.cache->pool.bytes, ElementsAre(1, 2));
  results.records.clear();
  EXPECT_EQ(BuildReport(plan, results).cache->hit_ratio, 0);
}

Plan DisaggregatedPlan() {
  Plan plan = OneWorkerPlan(4);
  plan.workers[0].role = Role::kPrefill;
  plan.workers[0].kv_bytes_per_token = 1000;
  plan.workers.push_back(plan.workers[0]);
  plan.workers[1].name = "gpu/1";
  plan.workers[1].role = Role::kDecode;
  plan.workers[1].node = 3;
  plan.workers[1].host_blocks = 50;
  return plan;
}

Results DisaggregatedRun() {
  Results results = SmallRun();
  results.workers.resize(2);
  results.timelines.resize(2);
  results.workers[0].prefilled = 3;
  results.workers[0].finished = 1;
  results.workers[1].finished = 2;
  results.records[0].kv_transfer = 100 * kMs;
  results.records[3].kv_transfer = 300 * kMs;
  results.links = {
      {.name = "gpu/0 out",
       .transfers = 2,
       .bytes = 990,
       .busy = 10 * kSecond,
       .bytes_per_second = 100},
      {.name = "unlimited", .transfers = 1, .bytes = 5, .busy = 0, .bytes_per_second = 0}};
  results.migrations = 4;
  return results;
}

TEST(BuildReport, Transfers) {
  const Report report = BuildReport(DisaggregatedPlan(), DisaggregatedRun());
  ASSERT_TRUE(report.transfers.has_value());
  EXPECT_EQ(report.transfers->migrations, 4);
  EXPECT_EQ(report.transfers->redispatched, 0);
  EXPECT_EQ(report.transfers->kv_transfer_seconds.count, 2);
  EXPECT_DOUBLE_EQ(report.transfers->kv_transfer_seconds.mean, 0.2);
  ASSERT_EQ(report.transfers->links.size(), 2u);
  EXPECT_EQ(report.transfers->links[0].use.name, "gpu/0 out");
  EXPECT_DOUBLE_EQ(report.transfers->links[0].utilization, 0.9);  // 990 of 100/s x 11 s
  EXPECT_EQ(report.transfers->links[1].utilization, 0);
}

TEST(BuildReport, NothingMovedNoTransfers) {
  Results results = DisaggregatedRun();
  results.links.clear();
  results.migrations = 0;
  EXPECT_TRUE(BuildReport(DisaggregatedPlan(), results).transfers.has_value());
  results.records[0].kv_transfer = kUnset;
  results.records[3].kv_transfer = kUnset;
  EXPECT_FALSE(BuildReport(DisaggregatedPlan(), results).transfers.has_value());
  results.redispatched = 1;
  EXPECT_EQ(BuildReport(DisaggregatedPlan(), results).transfers->redispatched, 1);
}

TEST(BuildReport, WorkersTellTheirPlaceAndTiers) {
  const Report report = BuildReport(DisaggregatedPlan(), DisaggregatedRun());
  EXPECT_EQ(report.workers[0].role, Role::kPrefill);
  EXPECT_EQ(report.workers[0].prefilled, 3);
  EXPECT_EQ(report.workers[1].role, Role::kDecode);
  EXPECT_EQ(report.workers[1].node, 3);
  EXPECT_EQ(report.workers[1].host_blocks_total, 50);
  EXPECT_EQ(report.workers[1].kv_bytes_per_block, 16'000);
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
  results.records.erase(results.records.begin() + 2);
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
