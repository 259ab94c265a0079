#include "engine/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/report/test_runs.h"
#include "engine/workload/test_traffic.h"

namespace tokensim {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
  EXPECT_THAT(
      report.notes,
      ElementsAre("The run was stopped by max_simulated_seconds after 5.000 s: of 10 "
                  "requests 5 had not finished and 4 had not arrived. Latencies are those of "
                  "finished requests."));
}

TEST(BuildReport, PlainPlansHaveNoneOfTheOptionalParts) {
  Results results = SmallRun();
  SetField(0, &RequestRecord::cached_tokens, 10, &results);
  SetField(0, &RequestRecord::kv_transfer, kMs, &results);
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
  SetField(1, &RequestRecord::client_class, 1, &results);
  SetField(3, &RequestRecord::client_class, 1, &results);
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

// Two classes with rejected requests and all four objectives, and a worker that takes requests in
// some time after they arrive: no two quantities are equal by chance.
//   chat: 1: TTFT 0.5, TPOT 0.5, gap 0.7, E2E 2.5; 0 is rejected
//   batch: 2: TTFT 1, no TPOT, no gap, E2E 1; 3: TTFT 2, TPOT 0.5, gap 0.9, E2E 6.5; 4 is rejected
TEST(BuildReport, RejectedRequestsAndEveryObjectiveOfAClassCount) {
  Plan plan = OneWorkerPlan(5);
  plan.classes = {
      {.name = "chat",
       .priority = 0,
       .slo = {.ttft = kSecond, .tpot = kSecond, .max_itl = 600 * kMs, .e2e = 3 * kSecond}},
      {.name = "batch",
       .priority = 0,
       .slo = {.ttft = 3 * kSecond, .tpot = 400 * kMs, .max_itl = kSecond, .e2e = 2 * kSecond}}};
  Results results = TwoClassRun();
  results.arrived = 5;
  RequestRecord rejected = Rejected(4, 9 * kSecond, RejectReason::kKvCapacity);
  rejected.client_class = 1;
  results.records.Add(rejected);
  const Report report = BuildReport(plan, results);
  ASSERT_TRUE(report.classes[0].slo && report.classes[1].slo && report.slo);

  const SloSummary& chat = *report.classes[0].slo;  // its request misses the gap alone
  EXPECT_EQ(chat.met_ttft, 1);
  EXPECT_EQ(chat.met_tpot, 1);
  EXPECT_EQ(chat.met_max_itl, 0);
  EXPECT_EQ(chat.met_e2e, 1);
  EXPECT_EQ(chat.met, 0);
  const SloSummary& batch = *report.classes[1].slo;  // request 3 misses TPOT and E2E
  EXPECT_EQ(batch.met_ttft, 2);
  EXPECT_EQ(batch.met_tpot, 1);
  EXPECT_EQ(batch.met_max_itl, 2);
  EXPECT_EQ(batch.met_e2e, 1);
  EXPECT_EQ(batch.met, 1);
  EXPECT_EQ(report.classes[1].rejected, 1);
  EXPECT_DOUBLE_EQ(batch.attainment, 1.0 / 3);  // of two finished and one rejected
  EXPECT_EQ(report.slo->met_ttft, 3);
  EXPECT_EQ(report.slo->met_tpot, 2);
  EXPECT_EQ(report.slo->met_max_itl, 2);
  EXPECT_EQ(report.slo->met_e2e, 2);
  EXPECT_DOUBLE_EQ(report.slo->attainment, 1.0 / 5);
}

// An objective that only a class has is judged, and shown for the whole run: each of them.
TEST(BuildReport, EachObjectiveOfOneClassIsOneOfTheRun) {
  using Objective = std::optional<SimTime> SloPlan::*;
  using Met = std::optional<int64_t> SloSummary::*;
  const std::pair<Objective, Met> all[] = {{&SloPlan::ttft, &SloSummary::met_ttft},
                                           {&SloPlan::tpot, &SloSummary::met_tpot},
                                           {&SloPlan::max_itl, &SloSummary::met_max_itl},
                                           {&SloPlan::e2e, &SloSummary::met_e2e}};
  for (const auto& [objective, met] : all) {
    Plan plan = OneWorkerPlan(4);
    plan.classes = {{.name = "chat", .priority = 0, .slo = {}},
                    {.name = "batch", .priority = 0, .slo = {}}};
    plan.classes[0].slo.*objective = 1;
    const Report report = BuildReport(plan, TwoClassRun());
    ASSERT_TRUE(report.slo.has_value());
    for (const auto& [other_objective, other_met] : all) {
      EXPECT_EQ((*report.slo.*other_met).has_value(), other_objective == objective);
      EXPECT_EQ((*report.classes[0].slo.*other_met).has_value(), other_objective == objective);
    }
    // Request 1 misses it; nobody asks it of the other two.
    EXPECT_EQ(*report.slo.*met, 2);
    EXPECT_FALSE(report.classes[1].slo.has_value());
  }
}

TEST(BuildReport, QueueingStartsAtTheArrival) {
  Results results = SmallRun();
  std::vector<RequestRecord> rows = results.records.Rows();
  for (RequestRecord& row : rows) row.queued = row.arrival + 50 * kMs;
  results.records = rows;
  const Report report = BuildReport(OneWorkerPlan(4), results);
  EXPECT_DOUBLE_EQ(report.queueing_seconds.min, 0.1);
  EXPECT_DOUBLE_EQ(report.queueing_seconds.max, 0.6);
  EXPECT_DOUBLE_EQ(report.ttft_seconds.min, 0.5);
  EXPECT_DOUBLE_EQ(report.e2e_seconds.max, 6.5);
}

TEST(BuildReport, CacheHitsOfFinishedRequests) {
  Plan plan = OneWorkerPlan(4);
  plan.workers[0].prefix_caching = true;
  Results results = SmallRun();
  SetField(0, &RequestRecord::cached_tokens, 30, &results);
  SetField(2, &RequestRecord::cached_tokens, 1000, &results);  // rejected
  SetField(3, &RequestRecord::cached_tokens, 120, &results);
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
  results.records = {};
  EXPECT_EQ(BuildReport(plan, results).cache->hit_ratio, 0);
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

TEST(BuildReport, WaitsForAWorkerThatDecodesAreAMetricOfTheirOwn) {
  Results results = DisaggregatedRun();
  EXPECT_EQ(BuildReport(DisaggregatedPlan(), results).decode_queueing_seconds.count, 0);
  SetField(0, &RequestRecord::decode_queueing, SimTime{0}, &results);
  SetField(2, &RequestRecord::decode_queueing, kSecond, &results);  // rejected
  SetField(3, &RequestRecord::decode_queueing, 500 * kMs, &results);
  const Report report = BuildReport(DisaggregatedPlan(), results);
  EXPECT_EQ(report.decode_queueing_seconds.count, 2);
  EXPECT_DOUBLE_EQ(report.decode_queueing_seconds.mean, 0.25);
  EXPECT_DOUBLE_EQ(report.decode_queueing_seconds.max, 0.5);
}

TEST(BuildReport, WhatWorkersHadOnAverage) {
  Results results = DisaggregatedRun();  // 11 s
  results.homeless = 5500 * kMs;
  results.workers[1].occupancy = {.running = 22 * kSecond,
                                  .waiting = 33 * kSecond,
                                  .loading = 44 * kSecond,
                                  .held = 55 * kSecond,
                                  .kv_blocks = 550 * kSecond};
  const Report report = BuildReport(DisaggregatedPlan(), results);
  EXPECT_DOUBLE_EQ(report.mean_homeless, 0.5);
  EXPECT_DOUBLE_EQ(report.workers[1].mean_running, 2);
  EXPECT_DOUBLE_EQ(report.workers[1].mean_waiting, 3);
  EXPECT_DOUBLE_EQ(report.workers[1].mean_loading, 4);
  EXPECT_DOUBLE_EQ(report.workers[1].mean_held, 5);
  EXPECT_DOUBLE_EQ(report.workers[1].mean_kv_utilization, 0.5);
}

// Each compute model tells once where its figures are from, whoever else uses it.
TEST(BuildReport, WorkersWithOneComputeModelTellItsSourcesOnce) {
  class Model final : public ComputeModel {
   public:
    double IterationSeconds(const IterationShape& /*shape*/) const override { return 1; }
    std::vector<OperatorSource> Sources() const override { return {{"op", "a guess"}}; }
  };
  Plan plan = OneWorkerPlan(4);
  Results results = SmallRun();
  const auto one = std::make_shared<Model>();
  const auto other = std::make_shared<Model>();
  plan.workers.resize(5, plan.workers[0]);
  results.workers.resize(5, results.workers[0]);
  results.timelines.resize(5, results.timelines[0]);
  for (size_t i = 0; i < 5; ++i) plan.workers[i].compute = i == 0 || i == 4 ? one : other;
  const Report report = BuildReport(plan, results);
  std::vector<size_t> told;
  for (const WorkerSummary& worker : report.workers) told.push_back(worker.operators.size());
  EXPECT_THAT(told, ElementsAre(1, 1, 0, 0, 1));
}

// Where workers may fail, another worker than the one that computed a prompt may finish it.
TEST(BuildReport, FaultsMakeItWorthTellingWhoComputedPrompts) {
  Plan plan = OneWorkerPlan(4);
  Results results = SmallRun();
  results.workers[0].prefilled = 3;
  EXPECT_EQ(BuildReport(plan, results).workers[0].prefilled, 0);
  plan.worker_events.push_back({.action = WorkerAction::kFail, .worker = 0});
  EXPECT_EQ(BuildReport(plan, results).workers[0].prefilled, 3);
}

TEST(BuildReport, NothingMovedNoTransfers) {
  Results results = DisaggregatedRun();
  results.links.clear();
  results.migrations = 0;
  EXPECT_TRUE(BuildReport(DisaggregatedPlan(), results).transfers.has_value());
  SetField(0, &RequestRecord::kv_transfer, kUnset, &results);
  SetField(3, &RequestRecord::kv_transfer, kUnset, &results);
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

// Of SmallRun, the requests that arrive from 1 s to before 4 s are 1 and 2: both finish.
TEST(BuildReport, AWindowCountsTheRequestsThatArriveInIt) {
  Plan plan = OneWorkerPlan(4);
  plan.slo.ttft = 700 * kMs;
  plan.window = ReportWindow{1 * kSecond, 4 * kSecond};
  const Report report = BuildReport(plan, SmallRun());
  ASSERT_TRUE(report.window.has_value());
  EXPECT_EQ(report.window->finished, 2);
  EXPECT_EQ(report.window->rejected, 0);
  // First arrival at 1 s, last finish at 4 s.
  EXPECT_DOUBLE_EQ(report.span_seconds, 3);
  EXPECT_DOUBLE_EQ(report.requests_per_second, 2.0 / 3);
  EXPECT_DOUBLE_EQ(report.input_tokens_per_second, 100);
  EXPECT_DOUBLE_EQ(report.output_tokens_per_second, 2);
  EXPECT_EQ(report.ttft_seconds.count, 2);
  EXPECT_DOUBLE_EQ(report.ttft_seconds.max, 1);
  EXPECT_EQ(report.tpot_seconds.count, 1);
  EXPECT_DOUBLE_EQ(report.e2e_seconds.max, 2.5);
  EXPECT_DOUBLE_EQ(report.queueing_seconds.max, 0.2);
  EXPECT_EQ(report.max_itl_seconds.count, 1);
  EXPECT_DOUBLE_EQ(report.input_tokens.mean, 150);
  EXPECT_EQ(report.slo->met, 1);
  EXPECT_DOUBLE_EQ(report.slo->attainment, 0.5);
  EXPECT_DOUBLE_EQ(report.slo->goodput_requests_per_second, 1.0 / 3);
  // Totals, workers and timelines are of the whole run.
  EXPECT_EQ(report.total, 4);
  EXPECT_EQ(report.finished, 3);
  EXPECT_EQ(report.rejected_max_model_len, 1);
  EXPECT_EQ(report.preemptions, 2);
  EXPECT_DOUBLE_EQ(report.simulated_seconds, 11);
  EXPECT_EQ(report.workers[0].timeline.running.size(), 2u);
  EXPECT_THAT(report.notes, Contains(HasSubstr("those of the 2 requests that arrived from 1.000 s "
                                               "to 4.000 s and ended")));
}

TEST(BuildReport, AWindowWithoutAnEndCountsRejectionsAndClasses) {
  Plan plan = OneWorkerPlan(4);
  plan.classes = {{.name = "a", .slo = {.ttft = kSecond}}, {.name = "b"}};
  plan.window = ReportWindow{.start = 500 * kMs};
  Results results = SmallRun();
  SetField(2, &RequestRecord::client_class, 1, &results);
  Report report = BuildReport(plan, results);
  EXPECT_EQ(report.window->finished, 3);
  EXPECT_EQ(report.window->rejected, 1);
  EXPECT_DOUBLE_EQ(report.span_seconds, 10) << "from the arrival of the rejected one";
  EXPECT_EQ(report.classes[0].finished, 3);
  EXPECT_EQ(report.classes[1].rejected, 1);
  plan.window->start = 3 * kSecond;
  report = BuildReport(plan, results);
  EXPECT_EQ(report.classes[0].finished, 2);
  EXPECT_EQ(report.classes[0].ttft_seconds.count, 2);
  EXPECT_EQ(report.classes[0].slo->met, 1);
  EXPECT_EQ(report.classes[1].rejected, 0);
  plan.window->start = 100 * kSecond;
  report = BuildReport(plan, results);
  EXPECT_EQ(report.ttft_seconds.count, 0);
  EXPECT_EQ(report.span_seconds, 0);
  EXPECT_EQ(report.requests_per_second, 0);
  EXPECT_THAT(report.notes, Contains(HasSubstr("those of the 0 requests")));
}

TEST(BuildReport, ADurationCountsWhatArrived) {
  Plan plan = OneWorkerPlan(1'000);
  plan.workload.duration = 20 * kSecond;
  Results results = SmallRun();
  Report report = BuildReport(plan, results);
  EXPECT_EQ(report.total, 4) << "1,000 were only expected";
  EXPECT_FALSE(report.endless_rejections);
  results.end_reason = EndReason::kMaxSimulatedTime;
  report = BuildReport(plan, results);
  EXPECT_THAT(report.notes, Contains(HasSubstr("of 4 requests 0 had not finished and more would "
                                               "have arrived until 20.000 s.")));
  plan.workload.arrivals = ClosedLoopArrivals{};
  results.arrived = plan.workload.most_requests();
  report = BuildReport(plan, results);
  EXPECT_TRUE(report.endless_rejections);
  EXPECT_THAT(report.notes, Contains(HasSubstr("Arrivals were ended after 12000 requests, before "
                                               "20.000 s")));
}

}  // namespace
}  // namespace tokensim
