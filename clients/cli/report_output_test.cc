#include "clients/cli/report_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace tokensim::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::Report MakeReport(int workers) {
  v1::Report report;
  report.set_spec_name("demo");
  report.set_seed(7);
  report.set_engine_version("1");
  report.mutable_requests()->set_total(2000);
  report.mutable_requests()->set_finished(1998);
  report.mutable_requests()->set_rejected_kv_capacity(2);
  report.mutable_ttft_seconds()->set_count(1998);
  report.mutable_ttft_seconds()->set_p99(0.0452);
  report.mutable_throughput()->set_output_tokens_per_second(1650.4);
  for (int i = 0; i < workers; ++i) {
    v1::WorkerReport* worker = report.add_workers();
    worker->set_name("gpu/" + std::to_string(i));
    worker->set_kv_blocks_total(100);
    worker->set_max_kv_blocks_used(50);
    for (const double running : {0.0, 1.0, 2.0}) {
      worker->mutable_timeline()->add_running(running);
      worker->mutable_timeline()->add_waiting(0);
      worker->mutable_timeline()->add_kv_utilization(running / 4);
    }
  }
  report.add_notes("saturated");
  report.mutable_execution()->set_wall_seconds(0.012);
  return report;
}

std::string Table(const v1::Report& report) {
  std::ostringstream out;
  WriteReportTable(report, {}, out);
  return out.str();
}

TEST(ReportTable, ShowsCountsDistributionsAndNotes) {
  const std::string text = Table(MakeReport(1));
  EXPECT_THAT(text, HasSubstr("demo  (seed 7, engine 1)"));
  EXPECT_THAT(text, HasSubstr("2,000 total, 1,998 finished, 2 rejected (KV capacity); 0 preem"));
  EXPECT_THAT(text, HasSubstr("45.2 ms"));
  EXPECT_THAT(text, HasSubstr("1,650 output tokens/s"));
  EXPECT_THAT(text, HasSubstr("Note: saturated"));
  EXPECT_THAT(text, HasSubstr("peak 2.00"));
  EXPECT_THAT(text, HasSubstr("peak 50.0 %"));
  EXPECT_THAT(text, Not(HasSubstr("SLO")));
  EXPECT_THAT(text, Not(HasSubstr("\033")));
}

TEST(ReportTable, OnlyTheLastLineTellsOfTheMachine) {
  v1::Report report = MakeReport(2);
  const std::string first = Table(report);
  report.mutable_execution()->set_wall_seconds(99);
  const std::string second = Table(report);
  EXPECT_NE(first, second);
  EXPECT_EQ(first.substr(0, first.rfind("\nSimulated")),
            second.substr(0, second.rfind("\nSimulated")));
}

TEST(ReportTable, LimitsTheWorkers) {
  const std::string text = Table(MakeReport(64));
  EXPECT_THAT(text, HasSubstr("gpu/15"));
  EXPECT_THAT(text, Not(HasSubstr("gpu/16")));
  EXPECT_THAT(text, HasSubstr("... and 48 more workers"));
}

TEST(ReportTable, ShowsTheSloWhenThereIsOne) {
  v1::Report report = MakeReport(1);
  report.mutable_slo()->set_attainment(0.5);
  report.mutable_slo()->set_met_ttft(999);
  EXPECT_THAT(Table(report), HasSubstr("50.0 % of requests meet it"));
  EXPECT_THAT(Table(report), HasSubstr("met: TTFT 999 of 1,998"));
}

TEST(ReportTable, AnEmptyReportPrints) { EXPECT_THAT(Table({}), HasSubstr("0 total")); }

TEST(ReportCsv, HasARowPerDefinedMetric) {
  std::ostringstream out;
  WriteReportCsv(MakeReport(1), out);
  EXPECT_THAT(out.str(), HasSubstr("metric,stat,value\nrequests,total,2000\n"));
  EXPECT_THAT(out.str(), HasSubstr("\nttft_seconds,p99,0.0452\n"));
  EXPECT_THAT(out.str(), Not(HasSubstr("tpot_seconds,p99")));
}

}  // namespace
}  // namespace tokensim::cli
