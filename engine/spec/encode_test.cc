#include "engine/spec/encode.h"

#include <gtest/gtest.h>

#include "engine/base/version.h"
#include "engine/core/simulation.h"
#include "engine/spec/test_specs.h"

namespace tokensim {
namespace {

TEST(EncodeTest, RecordsRoundTrip) {
  RequestRecord record;
  record.request_id = 7;
  record.arrival = 1;
  record.queued = 2;
  record.scheduled = 3;
  record.first_token = 4;
  record.finish = 5;
  record.max_itl = 6;
  record.input_tokens = 8;
  record.output_tokens = 9;
  record.cached_tokens = 10;
  record.worker = 11;
  record.preemptions = 12;
  record.reject_reason = RejectReason::kKvCapacity;
  v1::RequestRecord proto;
  ToProto(record, &proto);
  EXPECT_EQ(proto.max_itl_ns(), 6);
  const RequestRecord back = FromProto(proto);
  v1::RequestRecord again;
  ToProto(back, &again);
  EXPECT_EQ(again.DebugString(), proto.DebugString());
  EXPECT_EQ(back.reject_reason, RejectReason::kKvCapacity);
  EXPECT_EQ(back.worker, 11);
}

TEST(EncodeTest, ReasonsHaveTheirNames) {
  EXPECT_EQ(ToProto(EndReason::kCompleted), v1::END_REASON_COMPLETED);
  EXPECT_EQ(ToProto(EndReason::kMaxSimulatedTime), v1::END_REASON_MAX_SIMULATED_TIME);
  EXPECT_EQ(ToProto(EndReason::kMaxEvents), v1::END_REASON_MAX_EVENTS);
  EXPECT_EQ(ToProto(EndReason::kNone), v1::END_REASON_UNSPECIFIED);
  EXPECT_EQ(ToProto(RejectReason::kMaxModelLen), v1::REJECT_REASON_MAX_MODEL_LEN);
  EXPECT_EQ(ToProto(RejectReason::kNone), v1::REJECT_REASON_UNSPECIFIED);
}

TEST(EncodeTest, ReportsOfARun) {
  const PreparedSpec prepared =
      PrepareChanged({{"slo", "{ttft_seconds: 2s}"}, {"workers[0].count", "2"}, {"name", "run"}});
  ASSERT_TRUE(prepared.ok());
  Simulation simulation(prepared.plan);
  while (!simulation.done()) ASSERT_TRUE(simulation.Advance(1000).ok());
  const Report report = BuildReport(*prepared.plan, simulation.results());
  const v1::Report proto = ToProto(report);
  EXPECT_EQ(proto.spec_name(), "run");
  EXPECT_EQ(proto.engine_version(), kEngineVersion);
  EXPECT_EQ(proto.end_reason(), v1::END_REASON_COMPLETED);
  EXPECT_EQ(proto.requests().total(), 100);
  EXPECT_EQ(proto.requests().finished(), 100);
  EXPECT_EQ(proto.ttft_seconds().count(), 100);
  EXPECT_EQ(proto.ttft_seconds().p99(), report.ttft_seconds.p99);
  EXPECT_EQ(proto.input_tokens().mean(), 100);
  EXPECT_GT(proto.throughput().output_tokens_per_second(), 0);
  EXPECT_TRUE(proto.slo().has_met_ttft());
  EXPECT_FALSE(proto.slo().has_met_e2e());
  ASSERT_EQ(proto.workers_size(), 2);
  EXPECT_EQ(proto.workers(1).worker(), 1);
  EXPECT_EQ(proto.workers(1).name(), "gpu/1");
  EXPECT_EQ(proto.workers(0).requests() + proto.workers(1).requests(), 100);
  EXPECT_EQ(proto.workers(0).kv_blocks_total(), prepared.plan->workers[0].kv_blocks);
  const v1::Timeline& timeline = proto.workers(0).timeline();
  EXPECT_GT(timeline.interval_seconds(), 0);
  EXPECT_EQ(timeline.kv_utilization_size(), timeline.running_size());
  for (const double share : timeline.kv_utilization()) {
    EXPECT_GE(share, 0);
    EXPECT_LE(share, 1);
  }
  EXPECT_FALSE(proto.has_execution());
}

}  // namespace
}  // namespace tokensim
