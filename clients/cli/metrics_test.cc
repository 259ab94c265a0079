#include "clients/cli/metrics.h"

#include <gtest/gtest.h>

#include <set>

namespace tokensim::cli {
namespace {

TEST(Metrics, NamesAreUniqueAndDoNotDependOnTheReport) {
  v1::Report report;
  report.mutable_slo()->set_met(1);
  report.mutable_ttft_seconds()->set_count(1);
  const auto empty = ListMetrics({});
  const auto full = ListMetrics(report);
  ASSERT_EQ(empty.size(), full.size());
  std::set<std::string> names;
  for (size_t i = 0; i < full.size(); ++i) {
    EXPECT_EQ(empty[i].name(), full[i].name());
    EXPECT_TRUE(names.insert(full[i].name()).second) << full[i].name();
    EXPECT_EQ(FindMetric(full, full[i].name()), &full[i]);
  }
}

TEST(Metrics, EmptyDistributionsAreUndefinedButCounted) {
  const auto metrics = ListMetrics({});
  EXPECT_EQ(FindMetric(metrics, "ttft.count")->value, 0);
  EXPECT_FALSE(FindMetric(metrics, "ttft.mean")->value);
  EXPECT_FALSE(FindMetric(metrics, "slo.attainment")->value);
  EXPECT_EQ(FindMetric(metrics, "requests.total")->value, 0);
}

TEST(Metrics, FormatsWithItsUnit) {
  EXPECT_EQ(FormatMetric({"ttft_seconds", "p99", Unit::kSeconds, 0.0452}), "45.2 ms");
  EXPECT_EQ(FormatMetric({"slo", "attainment", Unit::kRatio, 0.992}), "99.2 %");
  EXPECT_EQ(FormatMetric({"requests", "total", Unit::kNumber, 2000.0}), "2,000");
}

}  // namespace
}  // namespace tokensim::cli
