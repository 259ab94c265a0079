#include "clients/cli/comparison.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tokensim::cli {
namespace {

v1::Report Report(double ttft, double rate, int rejected) {
  v1::Report report;
  report.mutable_ttft_seconds()->set_count(10);
  report.mutable_ttft_seconds()->set_p99(ttft);
  report.mutable_throughput()->set_requests_per_second(rate);
  report.mutable_requests()->set_rejected_no_worker(rejected);
  return report;
}

double WorseningOf(const v1::Report& a, const v1::Report& b, const std::string& name) {
  const auto changes = CompareReports(a, b, {name});
  EXPECT_EQ(changes.size(), 1U);
  return Worsening(changes[0]);
}

TEST(CompareReports, LatenciesShouldFallAndThroughputRise) {
  const v1::Report a = Report(0.5, 10, 0);
  const v1::Report b = Report(0.6, 9, 0);
  EXPECT_NEAR(WorseningOf(a, b, "ttft.p99"), 0.2, 1e-12);
  EXPECT_NEAR(WorseningOf(a, b, "throughput.requests_per_second"), 0.1, 1e-12);
  EXPECT_NEAR(WorseningOf(b, a, "ttft.p99"), -1.0 / 6, 1e-12);
  EXPECT_NEAR(*RelativeChange(CompareReports(a, b, {"ttft.p99"})[0]), 0.2, 1e-12);
}

TEST(CompareReports, WhatWasZeroGetsInfinitelyWorse) {
  EXPECT_EQ(WorseningOf(Report(1, 1, 0), Report(1, 1, 3), "requests.rejected"), INFINITY);
  EXPECT_EQ(WorseningOf(Report(1, 1, 3), Report(1, 1, 0), "requests.rejected"), -1);
  EXPECT_EQ(WorseningOf(Report(1, 1, 0), Report(1, 1, 0), "requests.rejected"), 0);
}

TEST(CompareReports, WhatIsGoneIsWorse) {
  EXPECT_EQ(WorseningOf(Report(1, 1, 0), {}, "ttft.p99"), INFINITY);
  EXPECT_EQ(WorseningOf({}, Report(1, 1, 0), "ttft.p99"), 0);
  EXPECT_FALSE(RelativeChange(CompareReports({}, Report(1, 1, 0), {"ttft.p99"})[0]));
}

TEST(CompareReports, AllMetricsAndThoseOfClassesOfEither) {
  v1::Report a;
  a.add_classes()->set_name("chat");
  v1::Report b;
  b.add_classes()->set_name("batch");
  const auto changes = CompareReports(a, b, {});
  const size_t own = ListMetrics({}).size();
  const size_t of_a_class = ListMetrics(a).size() - own;
  EXPECT_EQ(changes.size(), own + 2 * of_a_class);
  EXPECT_EQ(changes.back().b.metric.substr(0, 11), "class.batch");
}

TEST(DirectionOf, Metrics) {
  const auto of = [](const std::string& name) {
    return DirectionOf(*FindMetric(MetricsFor(name), name));
  };
  EXPECT_EQ(of("tpot.mean"), Direction::kDown);
  EXPECT_EQ(of("tpot.stddev"), Direction::kNeither);
  EXPECT_EQ(of("class.chat.ttft.p50"), Direction::kDown);
  EXPECT_EQ(of("class.chat.goodput"), Direction::kUp);
  EXPECT_EQ(of("slo.attainment"), Direction::kUp);
  EXPECT_EQ(of("cost.dollars_per_hour"), Direction::kDown);
  EXPECT_EQ(of("cost.requests_per_dollar"), Direction::kUp);
  EXPECT_EQ(of("requests.total"), Direction::kNeither);
  EXPECT_EQ(of("requests.preemptions"), Direction::kDown);
  EXPECT_EQ(of("simulated_seconds"), Direction::kNeither);
}

}  // namespace
}  // namespace tokensim::cli
