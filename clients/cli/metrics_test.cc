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

TEST(Metrics, CachesAndTransfersThatAreAbsent) {
  const auto metrics = ListMetrics({});
  EXPECT_FALSE(FindMetric(metrics, "cache.hit_ratio")->value);
  EXPECT_EQ(FindMetric(metrics, "transfers.migrations")->value, 0);
  EXPECT_EQ(FindMetric(metrics, "kv_transfer.count")->value, 0);
  EXPECT_FALSE(FindMetric(metrics, "kv_transfer.p99")->value);
}

TEST(Metrics, RejectionsOfEveryKind) {
  v1::Report report;
  report.mutable_requests()->set_rejected_max_model_len(1);
  report.mutable_requests()->set_rejected_kv_capacity(20);
  report.mutable_requests()->set_rejected_no_worker(300);
  const auto metrics = ListMetrics(report);
  EXPECT_EQ(FindMetric(metrics, "requests.rejected")->value, 321);
  EXPECT_EQ(FindMetric(metrics, "requests.rejected_no_worker")->value, 300);
}

TEST(Metrics, OfClasses) {
  v1::Report report;
  v1::ClassReport* chat = report.add_classes();
  chat->set_name("chat v1.5");
  chat->set_finished(7);
  chat->mutable_ttft_seconds()->set_count(7);
  chat->mutable_ttft_seconds()->set_p99(0.25);
  chat->mutable_slo()->set_goodput_requests_per_second(3);
  report.add_classes()->set_name("batch");
  const auto metrics = ListMetrics(report);
  std::set<std::string> names;
  for (const Metric& metric : metrics) EXPECT_TRUE(names.insert(metric.name()).second);
  EXPECT_EQ(FindMetric(metrics, "class.chat v1.5.ttft.p99")->value, 0.25);
  EXPECT_EQ(FindMetric(metrics, "class.chat v1.5.requests.finished")->value, 7);
  EXPECT_EQ(FindMetric(metrics, "class.chat v1.5.goodput")->value, 3);
  EXPECT_FALSE(FindMetric(metrics, "class.batch.slo.attainment")->value);
  EXPECT_EQ(FindMetric(metrics, "class.other.ttft.p99"), nullptr);
}

TEST(Metrics, NamesOfAnyClassAreKnownBeforeTheRun) {
  const auto knows = [](const std::string& name) {
    return FindMetric(MetricsFor(name), name) != nullptr;
  };
  EXPECT_TRUE(knows("ttft.p99"));
  EXPECT_TRUE(knows("class.chat.ttft.p99"));
  EXPECT_TRUE(knows("class.chat v1.5.e2e_seconds.mean"));
  EXPECT_TRUE(knows("class.chat.goodput"));
  EXPECT_TRUE(knows("class.goodput.slo.attainment"));
  for (const char* bad :
       {"class", "class.", "class.x", "class..ttft.p99", "class.ttft.p99", "class.chat.ttft",
        "class.chat.ttfft.p99", "class.goodput", "class..goodput"}) {
    EXPECT_FALSE(knows(bad)) << bad;
  }
}

TEST(Metrics, FormatsWithItsUnit) {
  EXPECT_EQ(FormatMetric({"ttft_seconds", "p99", Unit::kSeconds, 0.0452}), "45.2 ms");
  EXPECT_EQ(FormatMetric({"slo", "attainment", Unit::kRatio, 0.992}), "99.2 %");
  EXPECT_EQ(FormatMetric({"requests", "total", Unit::kNumber, 2000.0}), "2,000");
}

}  // namespace
}  // namespace tokensim::cli
