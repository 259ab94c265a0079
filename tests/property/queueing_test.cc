// The engine against queueing theory: single servers whose waiting times have closed forms,
// Little's law, and the static batch of the paper's Figure 8.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "engine/cluster/simulation.h"
#include "engine/compute/affine.h"
#include "engine/policy/local/registry.h"
#include "engine/workload/test_traffic.h"
#include "tests/property/run_engine.h"

namespace tokensim {
namespace {

constexpr double kIteration = 1e-4;  // seconds, whatever is in it

// One worker that serves one request at a time: `output` iterations.
std::shared_ptr<Plan> SingleServer(double rate, int64_t requests, LengthDistribution output) {
  auto plan = std::make_shared<Plan>();
  plan->seed = 7;
  plan->workload.num_requests = requests;
  plan->workload.arrivals = PoissonArrivals{rate};
  plan->workload.lengths = IndependentLengths{FixedLength{1}, std::move(output)};
  plan->workers.push_back(
      {.name = "server",
       .compute = MakeAffineModel({.iteration_seconds = kIteration}),
       .scheduler = {.policy = LocalSchedulers().Make("orca"), .max_num_seqs = 1},
       .kv_blocks = 10'000,
       .block_size = 16,
       .max_model_len = 100'000});
  return plan;
}

struct Means {
  double wait = 0;  // arrival to the start of service
  double service = 0;
  double service_square = 0;
};

Means MeansOf(const Results& results) {
  Means means;
  for (const RequestRecord& r : results.records) {
    const double service = r.output_tokens * kIteration;
    means.wait += ToSeconds(r.scheduled - r.arrival);
    means.service += service;
    means.service_square += service * service;
  }
  const auto n = static_cast<double>(results.records.size());
  return {means.wait / n, means.service / n, means.service_square / n};
}

// M/D/1 (Pollaczek 1930, Khinchine 1932): W = rho S / (2 (1 - rho)).
TEST(QueueingTest, ConstantServiceWaitsAsInMD1) {
  constexpr int32_t kOutput = 100;
  constexpr double kService = kOutput * kIteration;
  for (const double load : {0.5, 0.8}) {
    SCOPED_TRACE(load);
    const Results results =
        RunEngine(SingleServer(load / kService, 400'000, FixedLength{kOutput}), nullptr, 1'000'000);
    const double expected = load * kService / (2 * (1 - load));
    EXPECT_NEAR(MeansOf(results).wait, expected, 0.03 * expected);
  }
}

// Nearly exponential service: M/M/1 has W = rho S / (1 - rho). The moments of the service that was
// drawn give the closed form of M/G/1, W = rate E[S^2] / (2 (1 - rho)), to compare with, too.
TEST(QueueingTest, ExponentialServiceWaitsAsInMM1) {
  constexpr double kMeanOutput = 100;
  QuantileTable exponential;
  for (int i = 0; i <= 1000; ++i) {
    const double p = i / 1000.0;
    exponential.probabilities.push_back(p);
    exponential.values.push_back(i < 1000 ? 1 - kMeanOutput * std::log1p(-p) : 12 * kMeanOutput);
  }
  for (const double load : {0.5, 0.8}) {
    SCOPED_TRACE(load);
    const double rate = load / (kMeanOutput * kIteration);
    const Results results =
        RunEngine(SingleServer(rate, 400'000, Quantiles(exponential)), nullptr, 1'000'000);
    const Means means = MeansOf(results);
    const double rho = rate * means.service;
    const double general = rate * means.service_square / (2 * (1 - rho));
    EXPECT_NEAR(means.wait, general, 0.05 * general);
    const double markov = rho * means.service / (1 - rho);
    EXPECT_NEAR(means.wait, markov, 0.08 * markov);
  }
}

// Little's law: requests in service on average = rate x time in service, exactly.
TEST(QueueingTest, LittlesLaw) {
  const Results results = RunEngine(SingleServer(80, 50'000, UniformLength{1, 199}), nullptr, 1000);
  SimTime served = 0;
  SimTime waiting = 0;
  for (const RequestRecord& r : results.records) {
    served += r.finish - r.scheduled;
    waiting += r.scheduled - r.arrival;
  }
  EXPECT_EQ(static_cast<SimTime>(results.workers[0].occupancy.running), served);
  EXPECT_EQ(static_cast<SimTime>(results.workers[0].occupancy.waiting), waiting);
  const double waited = ToSeconds(waiting);
  double waiting_integral = 0;
  const WorkerTimeline& timeline = results.timelines[0];
  for (size_t i = 0; i < timeline.waiting.size(); ++i) {
    const SimTime begin = static_cast<SimTime>(i) * timeline.interval;
    waiting_integral +=
        timeline.waiting[i] * ToSeconds(std::min(timeline.interval, results.end_time - begin));
  }
  EXPECT_NEAR(waiting_integral, waited, 1e-6 * waited);
}

// The paper's Figure 8: a batch of four runs to its longest output, and those that are done early
// leave bubbles; the next request starts with the next batch. Iterations of 10 ms.
TEST(QueueingTest, StaticBatchesAsInFigure8) {
  constexpr SimTime kMs = 1'000'000;
  auto trace = std::make_shared<TraceTable>();
  for (const int32_t output : {2, 5, 3, 1, 2}) {
    trace->arrival.push_back(0);
    trace->input_tokens.push_back(4);
    trace->output_tokens.push_back(output);
  }
  auto plan = SingleServer(1, 5, FixedLength{1});
  auto figure = std::make_shared<Plan>(*plan);
  figure->workload.arrivals = TraceArrivals{};
  figure->workload.lengths = TraceLengths{};
  figure->workload.trace = trace;
  figure->workers[0].compute = MakeAffineModel({.iteration_seconds = 0.010});
  figure->workers[0].scheduler = {.policy = LocalSchedulers().Make("static"), .max_num_seqs = 4};
  const Results results = RunEngine(figure, nullptr, 100);
  const std::vector<RequestRecord> records = Sorted(results.records);
  // Each answer is complete at its own last token; the fifth starts when the second is done.
  const std::vector<SimTime> finish = {20 * kMs, 50 * kMs, 30 * kMs, 10 * kMs, 70 * kMs};
  for (size_t i = 0; i < finish.size(); ++i) EXPECT_EQ(records[i].finish, finish[i]) << i;
  EXPECT_EQ(records[4].scheduled, 50 * kMs);
  // The rows of those that are done run no request: each runs until its own last token.
  EXPECT_EQ(static_cast<SimTime>(results.workers[0].occupancy.running), (110 + 20) * kMs);
}

}  // namespace
}  // namespace tokensim
