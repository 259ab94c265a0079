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

TEST(ReportTable, TellsOfCostAndEnergyWhereThereAreFigures) {
  v1::Report report = MakeReport(1);
  const std::string without = Table(report);
  for (const char* word : {"Cost", "Energy", "$"}) EXPECT_THAT(without, Not(HasSubstr(word)));
  report.mutable_energy()->set_max_watts(5600);
  report.mutable_energy()->set_max_kilowatt_hours(1.25);
  EXPECT_THAT(Table(report), HasSubstr("\nEnergy      at most 5,600 W of devices; the run 1.25 "
                                       "kWh\n"));
  v1::CostReport* cost = report.mutable_cost();
  cost->set_dollars_per_hour(13.52);
  cost->set_dollars(0.0213);
  EXPECT_THAT(Table(report), HasSubstr("\nCost        $13.5 per hour; the run $0.02\nEnergy "));
  cost->set_dollars_per_million_output_tokens(0.456);
  cost->set_dollars_per_million_tokens(0.087);
  cost->set_requests_per_dollar(12345);
  report.mutable_energy()->set_max_joules_per_output_token(0.75);
  const std::string text = Table(report);
  EXPECT_THAT(text, HasSubstr("$13.5 per hour; $0.46 per million output tokens, $0.09 per million "
                              "in and out; 12,345 requests per $; the run $0.02\n"));
  EXPECT_THAT(text, HasSubstr("W of devices, 0.75 J per output token; the run"));
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

TEST(ReportTable, TellsOfHeldAndLoadingRequestsWhereThereAreAny) {
  v1::Report report = MakeReport(2);
  const std::string without = Table(report);
  for (const char* word : {"held", "loading", "Decode queueing"}) {
    EXPECT_THAT(without, Not(HasSubstr(word)));
  }
  report.mutable_decode_queueing_seconds()->set_count(3);
  report.mutable_decode_queueing_seconds()->set_p99(1.25);
  report.mutable_workers(1)->set_mean_held(17.5);
  report.mutable_workers(0)->mutable_timeline()->add_held(41);
  report.mutable_workers(1)->mutable_timeline()->add_loading(43);
  const std::string text = Table(report);
  EXPECT_THAT(text, HasSubstr("Decode queueing"));
  EXPECT_THAT(text, HasSubstr("1.25 s"));
  EXPECT_THAT(text, HasSubstr("17.5"));
  EXPECT_THAT(text, HasSubstr("peak 41"));
  EXPECT_THAT(text, HasSubstr("peak 43"));
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

TEST(ReportTable, WhatAPlainRunDoesNotHaveIsNotShown) {
  const std::string text = Table(MakeReport(2));
  for (const char* absent : {"Class", "Cache", "Transfers", "Link", "role", "node", "prefilled",
                             "host", "pool", "unavailable", "no worker"}) {
    EXPECT_THAT(text, Not(HasSubstr(absent)));
  }
}

TEST(ReportTable, ShowsClasses) {
  v1::Report report = MakeReport(1);
  v1::ClassReport* chat = report.add_classes();
  chat->set_name("chat");
  chat->set_priority(-1);
  chat->set_finished(1200);
  chat->mutable_ttft_seconds()->set_count(1200);
  chat->mutable_ttft_seconds()->set_p99(0.25);
  report.add_classes()->set_name("batch");
  EXPECT_THAT(Table(report), HasSubstr("\nClass  priority  finished"));
  EXPECT_THAT(Table(report), HasSubstr("\nchat         -1     1,200"));
  EXPECT_THAT(Table(report), HasSubstr("250 ms"));
  EXPECT_THAT(Table(report), Not(HasSubstr("SLO")));
  report.mutable_slo()->set_attainment(0.5);
  chat->mutable_slo()->set_attainment(0.875);
  EXPECT_THAT(Table(report), HasSubstr("87.5 %\n"));
}

TEST(ReportTable, ShowsTheCacheAndThePool) {
  v1::Report report = MakeReport(1);
  report.mutable_cache()->set_hit_ratio(0.25);
  report.mutable_cache()->set_cached_tokens(1000);
  report.mutable_cache()->set_input_tokens(4000);
  EXPECT_THAT(Table(report),
              HasSubstr("Cache       25.0 % of input tokens were cached (1,000 of 4,000)\n"));
  EXPECT_THAT(Table(report), Not(HasSubstr("pool")));
  report.mutable_cache()->set_pool_max_bytes(1 << 20);
  report.mutable_cache()->add_pool_bytes(1 << 19);
  EXPECT_THAT(Table(report), HasSubstr("0 tokens fetched, 0 evicted, at most 1.00 MiB\n"));
  EXPECT_THAT(Table(report), HasSubstr("| peak 512 KiB\n"));
}

TEST(ReportTable, ShowsTransfersAndTheFullestLinks) {
  v1::Report report = MakeReport(1);
  v1::TransferReport* transfers = report.mutable_transfers();
  transfers->set_migrations(3);
  transfers->mutable_kv_transfer_seconds()->set_count(10);
  transfers->mutable_kv_transfer_seconds()->set_mean(0.002);
  for (int i = 0; i < 20; ++i) {
    v1::LinkReport* link = transfers->add_links();
    link->set_name("gpu/" + std::to_string(i) + " out");
    link->set_bytes(1024);
    link->set_utilization(i == 19 ? 0.97 : 0.01);
  }
  const std::string text = Table(report);
  EXPECT_THAT(text, HasSubstr("10 requests' KV caches moved (mean 2.00 ms, p99 0 s); 3 migrations, "
                              "0 lost their worker\nLink"));
  EXPECT_THAT(text, HasSubstr("\ngpu/19 out          0  1.00 KiB   0 s  97.0 %\ngpu/0 out"));
  EXPECT_THAT(text, Not(HasSubstr("gpu/15 out")));
  EXPECT_THAT(text, HasSubstr("... and 4 more links\n"));
}

TEST(ReportTable, ShowsRolesNodesTiersAndFailuresOfWorkers) {
  v1::Report report = MakeReport(2);
  report.mutable_requests()->set_rejected_no_worker(5);
  report.mutable_workers(0)->set_role("prefill");
  report.mutable_workers(1)->set_role("decode");
  EXPECT_THAT(Table(report), HasSubstr("Worker  hardware  role     requests"));
  report.mutable_workers(1)->set_node(3);
  report.mutable_workers(0)->set_prefilled(1500);
  report.mutable_workers(1)->set_host_bytes_total(1 << 30);
  report.mutable_workers(1)->set_max_host_bytes_used(1 << 20);
  report.mutable_workers(1)->mutable_timeline()->add_host_bytes(2048);
  report.mutable_workers(1)->set_unavailable_seconds(2);
  const std::string text = Table(report);
  EXPECT_THAT(text, HasSubstr("role     node  prefilled  requests"));
  EXPECT_THAT(text, HasSubstr("prefill     0      1,500"));
  EXPECT_THAT(text, HasSubstr("swapped out  host (max)  unavailable\n"));
  EXPECT_THAT(text, HasSubstr("0 B    1.00 MiB       2.00 s\n"));
  EXPECT_THAT(text, HasSubstr("| peak 2.00 KiB\n"));
  EXPECT_THAT(text, HasSubstr("5 rejected (no worker)"));
}

// The first worker ran twice as long, in intervals twice as wide.
TEST(ReportTable, TimelinesOfDifferentIntervalsAddUp) {
  v1::Report report = MakeReport(2);
  for (v1::WorkerReport& worker : *report.mutable_workers()) worker.clear_timeline();
  v1::Timeline* longer = report.mutable_workers(0)->mutable_timeline();
  longer->set_interval_seconds(2);
  v1::Timeline* shorter = report.mutable_workers(1)->mutable_timeline();
  shorter->set_interval_seconds(1);
  for (const double running : {1.0, 1.0, 7.0}) longer->add_running(running);
  for (const double running : {2.0, 4.0, 6.0}) shorter->add_running(running);
  for (auto* timeline : {longer, shorter}) {
    timeline->add_waiting(0);
    timeline->add_kv_utilization(0);
  }
  // 1 + 3, 1 + 3 (half of the interval is over), 7.
  EXPECT_THAT(Table(report), HasSubstr("| peak 7.00\n"));
}

TEST(ReportTable, AnEmptyReportPrints) { EXPECT_THAT(Table({}), HasSubstr("0 total")); }

TEST(ReportCsv, HasARowPerDefinedMetric) {
  std::ostringstream out;
  WriteReportCsv(MakeReport(1), out);
  EXPECT_THAT(out.str(), HasSubstr("metric,stat,value\nrequests,total,2000\n"));
  EXPECT_THAT(out.str(), HasSubstr("\nttft_seconds,p99,0.0452\n"));
  EXPECT_THAT(out.str(), Not(HasSubstr("tpot_seconds,p99")));
  EXPECT_THAT(out.str(), Not(HasSubstr("cache,")));
}

TEST(ReportCsv, QuotesTheNamesOfClasses) {
  v1::Report report = MakeReport(1);
  report.add_classes()->set_name("a,b");
  std::ostringstream out;
  WriteReportCsv(report, out);
  EXPECT_THAT(out.str(), HasSubstr("\n\"class.a,b.requests\",finished,0\n"));
}

}  // namespace
}  // namespace tokensim::cli
