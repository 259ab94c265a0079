#include "engine/analysis/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tokensim::accuracy {
namespace {

constexpr SimTime kSecond = kNanosPerSecond;

MeasuredRequest Measured(int arrival, int queued, int first, int last, int outputs) {
  return {.arrival = arrival * kSecond,
          .queued = queued * kSecond,
          .first_token = first * kSecond,
          .last_token = last * kSecond,
          .input_tokens = 10,
          .output_tokens = outputs};
}

RequestRecord Simulated(int id, int arrival, int queued, int first, int last, int outputs) {
  RequestRecord record;
  record.request_id = id;
  record.arrival = arrival * kSecond;
  record.queued = queued * kSecond;
  record.first_token = first * kSecond;
  record.finish = last * kSecond;
  record.output_tokens = outputs;
  return record;
}

// TTFT 10 and 20, from queued 8 and 20; TPOT 10 of the first alone; E2E 30 and 20.
MeasuredRun TwoRequests() {
  MeasuredRun run;
  run.has_first_token = run.has_last_token = run.has_queued = true;
  run.requests = {Measured(0, 2, 10, 30, 3), Measured(10, 10, 30, 30, 1)};
  return run;
}

// TTFT 12 and 15, from queued 12 and 10; TPOT 9; E2E 30 and 15. In order of completion.
std::vector<RequestRecord> TwoRecords() {
  return {Simulated(1, 10, 15, 25, 25, 1), Simulated(0, 0, 0, 12, 30, 3)};
}

const MetricComparison& Metric(const Comparison& comparison, const std::string& name) {
  for (const MetricComparison& metric : comparison.metrics) {
    if (metric.metric == name) return metric;
  }
  ADD_FAILURE() << "no metric " << name;
  return comparison.metrics[0];
}

const Figure& At(const Comparison& comparison, const std::string& metric,
                 const std::string& statistic) {
  for (const Figure& figure : Metric(comparison, metric).figures) {
    if (figure.statistic == statistic) return figure;
  }
  ADD_FAILURE() << "no figure " << metric << "." << statistic;
  return comparison.metrics[0].figures[0];
}

void ExpectFigure(const Comparison& comparison, const char* metric, const char* statistic,
                  double measured, double simulated) {
  const Figure& figure = At(comparison, metric, statistic);
  EXPECT_NEAR(figure.measured, measured, 1e-9) << metric << "." << statistic;
  EXPECT_NEAR(figure.simulated, simulated, 1e-9) << metric << "." << statistic;
}

TEST(CompareRun, FiguresByHand) {
  const std::vector<Comparison> comparisons = Compare(TwoRequests(), TwoRecords());
  ASSERT_EQ(comparisons.size(), 1u);
  const Comparison& run = comparisons[0];
  EXPECT_EQ(run.requests, 2);
  EXPECT_EQ(run.not_simulated, 0);
  ExpectFigure(run, "ttft", "mean", 15, 13.5);
  ExpectFigure(run, "ttft", "p50", 15, 13.5);
  ExpectFigure(run, "ttft", "p90", 19, 14.7);  // 10 + 0.9 x 10
  ExpectFigure(run, "ttft", "p99", 19.9, 14.97);
  ExpectFigure(run, "ttft_queued", "mean", 14, 11);
  ExpectFigure(run, "tpot", "mean", 10, 9);
  ExpectFigure(run, "tpot", "p99", 10, 9);
  ExpectFigure(run, "e2e", "mean", 25, 22.5);
  ExpectFigure(run, "e2e_queued", "mean", 24, 20);
  // Two requests and four tokens in 30 s.
  ExpectFigure(run, "throughput", "requests_per_second", 2.0 / 30, 2.0 / 30);
  ExpectFigure(run, "throughput", "output_tokens_per_second", 4.0 / 30, 4.0 / 30);
  EXPECT_NEAR(At(run, "ttft", "mean").error(), -0.1, 1e-12);
}

TEST(CompareRun, ErrorsOfSingleRequests) {
  const Comparison run = Compare(TwoRequests(), TwoRecords())[0];
  EXPECT_NEAR(*Metric(run, "ttft").mape, (0.2 + 0.25) / 2, 1e-12);
  EXPECT_NEAR(*Metric(run, "ttft").median_ape, 0.225, 1e-12);
  EXPECT_NEAR(*Metric(run, "tpot").mape, 0.1, 1e-12);
  EXPECT_NEAR(*Metric(run, "e2e").mape, (0 + 0.25) / 2, 1e-12);
  EXPECT_FALSE(Metric(run, "throughput").mape.has_value());
}

TEST(CompareRun, RequestsWithoutAResultAreCountedAndLeftOut) {
  std::vector<RequestRecord> records = TwoRecords();
  records[0].reject_reason = RejectReason::kKvCapacity;
  const Comparison run = Compare(TwoRequests(), records)[0];
  EXPECT_EQ(run.requests, 1);
  EXPECT_EQ(run.not_simulated, 1);
  ExpectFigure(run, "ttft", "mean", 10, 12);
}

TEST(CompareRun, WithoutQueuedStampsThereIsNoSecondAnchor) {
  MeasuredRun measured = TwoRequests();
  measured.has_queued = false;
  const Comparison run = Compare(measured, TwoRecords())[0];
  for (const MetricComparison& metric : run.metrics) {
    EXPECT_FALSE(metric.metric.ends_with("_queued"));
  }
}

TEST(CompareRun, WhatTheTruthLacksIsNotCompared) {
  const auto metrics = [](bool first, bool last) {
    MeasuredRun measured = TwoRequests();
    measured.has_queued = false;
    measured.has_first_token = first;
    measured.has_last_token = last;
    std::vector<std::string> names;
    const Comparison run = Compare(measured, TwoRecords())[0];
    for (const MetricComparison& metric : run.metrics) names.push_back(metric.metric);
    return names;
  };
  EXPECT_EQ(metrics(true, false), (std::vector<std::string>{"ttft"}));
  EXPECT_EQ(metrics(false, true), (std::vector<std::string>{"throughput", "e2e"}));
}

TEST(CompareRepeat, TheSecondRunIsTakenForASimulation) {
  MeasuredRun again = TwoRequests();
  for (MeasuredRequest& request : again.requests) {
    request.first_token = request.arrival + (request.first_token - request.arrival) * 2;
    request.last_token += request.first_token;
  }
  const auto noise = CompareRepeat(TwoRequests(), again);
  ASSERT_TRUE(noise.ok());
  for (const MetricComparison& metric : (*noise)[0].metrics) {
    if (metric.metric != "ttft") continue;
    EXPECT_NEAR(metric.figures[0].error(), 1, 1e-9);
    EXPECT_NEAR(*metric.mape, 1, 1e-9);
  }
  again.requests.pop_back();
  EXPECT_FALSE(CompareRepeat(TwoRequests(), again).ok());
}

TEST(Figure, NothingMeasured) {
  EXPECT_EQ((Figure{"mean", 0, 0}.error()), 0);
  EXPECT_TRUE(std::isinf(Figure{"mean", 0, 1}.error()));
}

// One request a second for ten seconds.
MeasuredStages TwoStages() {
  MeasuredStages run;
  MeasuredStage stage;
  stage.rate = 1;
  stage.duration_seconds = 10;
  stage.ttft = {1, 1, 2};
  stage.e2e = {4, 4, 5};
  stage.tpot_mean_seconds = 1;
  stage.requests_per_second = 0.95;
  run.stages = {stage, stage};
  run.stages[1].requests_per_second = 0.5;
  run.stages[1].failed = 3;
  run.output_tokens = 3;
  return run;
}

// TTFT 1, then `wait` longer for the first token in the second stage; TPOT 1.
std::vector<RequestRecord> StageRecords(int wait) {
  std::vector<RequestRecord> records;
  for (int i = 0; i < 20; ++i) {
    const int arrival = i < 10 ? i : 90 + i;
    const int first = arrival + (i < 10 ? 1 : 1 + wait);
    records.push_back(Simulated(i, arrival, arrival, first, first + 2, 3));
  }
  return records;
}

TEST(CompareStages, EachStageHasItsRequests) {
  const std::vector<Comparison> stages = Compare(TwoStages(), StageRecords(4));
  ASSERT_EQ(stages.size(), 2u);
  EXPECT_EQ(stages[1].name, "stage1");
  EXPECT_EQ(stages[1].requests, 10);
  ExpectFigure(stages[0], "ttft", "mean", 1, 1);
  ExpectFigure(stages[0], "ttft", "p90", 2, 1);
  ExpectFigure(stages[1], "ttft", "mean", 1, 5);
  ExpectFigure(stages[1], "tpot", "mean", 1, 1);
  ExpectFigure(stages[1], "e2e", "p50", 4, 7);
  // 10 requests from the first arrival to 3 s after the last, 9 s later.
  ExpectFigure(stages[0], "throughput", "requests_per_second", 0.95, 10.0 / 12);
  ExpectFigure(stages[0], "throughput", "output_tokens_per_second", 2.85, 30.0 / 12);
}

TEST(CompareStages, RequestsWithoutAResultAreCountedInTheirStage) {
  std::vector<RequestRecord> records = StageRecords(4);
  for (const size_t i : {11, 15, 17}) records[i].reject_reason = RejectReason::kKvCapacity;
  records[4].finish = kUnset;
  const std::vector<Comparison> stages = Compare(TwoStages(), records);
  ASSERT_EQ(stages.size(), 2u);
  EXPECT_EQ(stages[0].requests, 9);
  EXPECT_EQ(stages[0].not_simulated, 1);
  EXPECT_EQ(stages[1].requests, 7);
  EXPECT_EQ(stages[1].not_simulated, 3);
}

TEST(CompareStages, FiguresThatTheDocumentLacksAreNotCompared) {
  MeasuredStages measured = TwoStages();
  measured.stages[0].ttft = {.p50 = 1.0};
  measured.stages[0].e2e = {};
  measured.stages[0].requests_per_second.reset();
  const Comparison stage = Compare(measured, StageRecords(4))[0];
  ASSERT_EQ(stage.metrics.size(), 2u);
  EXPECT_EQ(stage.metrics[0].metric, "ttft");
  ASSERT_EQ(stage.metrics[0].figures.size(), 1u);
  EXPECT_EQ(stage.metrics[0].figures[0].statistic, "p50");
  EXPECT_EQ(stage.metrics[1].metric, "tpot");
  EXPECT_FALSE(stage.saturation.has_value());
}

TEST(CompareStages, SaturationIsThroughputBelowTheOfferedRate) {
  const std::vector<Comparison> stages = Compare(TwoStages(), StageRecords(4));
  EXPECT_FALSE(stages[0].saturation->measured);
  EXPECT_TRUE(stages[0].saturation->simulated);  // 0.83 of 1 per second
  EXPECT_TRUE(stages[1].saturation->measured);
  EXPECT_TRUE(stages[1].saturation->simulated);
  EXPECT_FALSE(stages[0].overloaded);
  EXPECT_TRUE(stages[1].overloaded);
  EXPECT_EQ(stages[0].saturation->offered_per_second, 1);
}

}  // namespace
}  // namespace tokensim::accuracy
