#include "engine/io/report/encode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "engine/base/version.h"
#include "engine/cluster/simulation.h"
#include "engine/io/plan/test_specs.h"

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
  record.client_class = 13;
  record.turn = 14;
  record.prefill_worker = 15;
  record.conversation = 16;
  record.kv_transfer = 17;
  record.decode_queueing = 18;
  v1::RequestRecord proto;
  ToProto(record, &proto);
  EXPECT_EQ(proto.max_itl_ns(), 6);
  EXPECT_EQ(proto.client_class(), 13);
  EXPECT_EQ(proto.turn(), 14);
  EXPECT_EQ(proto.prefill_worker(), 15);
  EXPECT_EQ(proto.conversation(), 16);
  EXPECT_EQ(proto.kv_transfer_ns(), 17);
  EXPECT_EQ(proto.decode_queueing_ns(), 18);
  const RequestRecord back = FromProto(proto);
  v1::RequestRecord again;
  ToProto(back, &again);
  EXPECT_EQ(again.DebugString(), proto.DebugString());
  EXPECT_EQ(back.reject_reason, RejectReason::kKvCapacity);
  EXPECT_EQ(back.worker, 11);
  EXPECT_EQ(back.kv_transfer, 17);
  EXPECT_EQ(back.decode_queueing, 18);

  for (const auto reason : {RejectReason::kNone, RejectReason::kMaxModelLen,
                            RejectReason::kKvCapacity, RejectReason::kNoWorker}) {
    record.reject_reason = reason;
    ToProto(record, &proto);
    EXPECT_EQ(FromProto(proto).reject_reason, reason);
  }
}

TEST(EncodeTest, ReasonsHaveTheirNames) {
  EXPECT_EQ(ToProto(EndReason::kCompleted), v1::END_REASON_COMPLETED);
  EXPECT_EQ(ToProto(EndReason::kMaxSimulatedTime), v1::END_REASON_MAX_SIMULATED_TIME);
  EXPECT_EQ(ToProto(EndReason::kMaxEvents), v1::END_REASON_MAX_EVENTS);
  EXPECT_EQ(ToProto(EndReason::kNone), v1::END_REASON_UNSPECIFIED);
  EXPECT_EQ(ToProto(RejectReason::kMaxModelLen), v1::REJECT_REASON_MAX_MODEL_LEN);
  EXPECT_EQ(ToProto(RejectReason::kNoWorker), v1::REJECT_REASON_NO_WORKER);
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

// Names of all fields that are set, as `workers.name`.
void AddFields(const google::protobuf::Message& message, const std::string& prefix,
               std::set<std::string>* names) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const auto* field : fields) {
    const std::string name = prefix + field->name();
    names->insert(name);
    if (field->message_type() == nullptr) continue;
    const int count = field->is_repeated() ? message.GetReflection()->FieldSize(message, field) : 0;
    for (int i = 0; i < count; ++i) {
      AddFields(message.GetReflection()->GetRepeatedMessage(message, field, i), name + '.', names);
    }
    if (count == 0)
      AddFields(message.GetReflection()->GetMessage(message, field), name + '.', names);
  }
}

// What a run without any of the cluster's features tells, word for word: a feature that is off
// leaves no trace in the report.
TEST(EncodeTest, FeaturesThatAreOffLeaveNoTrace) {
  const PreparedSpec prepared =
      PrepareChanged({{"slo", "{ttft_seconds: 2s}"}, {"workers[0].count", "2"}, {"name", "run"}});
  ASSERT_TRUE(prepared.ok());
  Simulation simulation(prepared.plan);
  while (!simulation.done()) ASSERT_TRUE(simulation.Advance(1000).ok());
  const v1::Report report = ToProto(BuildReport(*prepared.plan, simulation.results()));
  std::set<std::string> names;
  AddFields(report, "", &names);
  std::istringstream words(
      "spec_name engine_version end_reason simulated_seconds requests requests.total "
      "requests.finished throughput throughput.span_seconds "
      "throughput.requests_per_second throughput.input_tokens_per_second "
      "throughput.output_tokens_per_second slo slo.met slo.attainment "
      "slo.goodput_requests_per_second slo.goodput_output_tokens_per_second "
      "slo.met_ttft workers workers.worker workers.name workers.hardware "
      "workers.requests workers.iterations workers.prefill_tokens "
      "workers.decode_tokens workers.busy_seconds workers.utilization "
      "workers.mean_running workers.mean_waiting workers.max_running workers.kv_blocks_total "
      "workers.block_size workers.mean_kv_utilization workers.max_kv_blocks_used "
      "workers.timeline workers.timeline.interval_seconds workers.timeline.running "
      "workers.timeline.waiting workers.timeline.kv_utilization workers.timeline.busy "
      "workers.operators workers.operators.name workers.operators.source "
      "workers.operators.confidence "
      "workers.operators.error "
      "energy energy.max_watts energy.max_kilowatt_hours energy.max_joules_per_output_token");
  const std::set<std::string> expected{std::istream_iterator<std::string>(words), {}};
  std::set<std::string> beyond_distributions;
  for (const std::string& name : names) {
    const std::string top = name.substr(0, name.find('.'));
    const auto* field = v1::Report::descriptor()->FindFieldByName(top);
    const bool distribution =
        field->message_type() != nullptr && field->message_type()->name() == "Distribution";
    if (!distribution) beyond_distributions.insert(name);
  }
  beyond_distributions.erase("workers.kv_bytes_per_block");  // a fact of model and block size
  EXPECT_THAT(beyond_distributions, ::testing::ContainerEq(expected));
}

Report FullReport() {
  Report report;
  report.rejected_no_worker = 2;
  report.classes.push_back({.name = "chat",
                            .priority = -3,
                            .finished = 4,
                            .rejected = 5,
                            .ttft_seconds = {.count = 4, .p99 = 0.25},
                            .tpot_seconds = {.count = 3},
                            .e2e_seconds = {.count = 4},
                            .slo = SloSummary{.met = 1}});
  report.classes.push_back({.name = "batch"});
  report.cache = {
      .input_tokens = 100,
      .cached_tokens = 25,
      .hit_ratio = 0.25,
      .pool = {.hit_tokens = 10, .evicted_tokens = 20, .max_bytes = 30, .bytes = {1, 2}}};
  report.transfers.emplace();
  report.transfers->links.push_back({.use = {.name = "gpu/0 out",
                                             .transfers = 7,
                                             .bytes = 8000,
                                             .busy = kNanosPerSecond,
                                             .bytes_per_second = 1e6},
                                     .utilization = 0.5});
  report.transfers->migrations = 11;
  report.transfers->redispatched = 12;
  report.transfers->kv_transfer_seconds.count = 13;
  report.queueing_seconds = {.count = 15, .p99 = 1.5};
  report.decode_queueing_seconds = {.count = 14, .p99 = 2.5};
  report.mean_homeless = 3.5;
  for (const Role role : {Role::kBoth, Role::kPrefill, Role::kDecode}) {
    WorkerSummary& worker = report.workers.emplace_back();
    worker.kv_blocks_total = 1;
    worker.role = role;
  }
  WorkerSummary& worker = report.workers[1];
  worker.node = 2;
  worker.kv_bytes_per_block = 1000;
  worker.host_blocks_total = 50;
  worker.prefilled = 6;
  worker.stats.swapped_out_blocks = 3;
  worker.stats.swapped_in_blocks = 2;
  worker.stats.max_host_blocks_used = 4;
  worker.stats.unavailable = 2 * kNanosPerSecond;
  worker.mean_running = 1.25;
  worker.mean_waiting = 2.25;
  worker.mean_loading = 3.25;
  worker.mean_held = 4.25;
  worker.timeline.stored = {0, 1.5};
  worker.timeline.running = {1, 2};
  worker.timeline.waiting = {3, 4};
  worker.timeline.loading = {5, 6};
  worker.timeline.held = {7, 8};
  return report;
}

TEST(EncodeTest, ClassesCachesAndTransfers) {
  const v1::Report proto = ToProto(FullReport());
  EXPECT_EQ(proto.requests().rejected_no_worker(), 2);
  ASSERT_EQ(proto.classes_size(), 2);
  EXPECT_EQ(proto.classes(0).name(), "chat");
  EXPECT_EQ(proto.classes(0).priority(), -3);
  EXPECT_EQ(proto.classes(0).finished(), 4);
  EXPECT_EQ(proto.classes(0).rejected(), 5);
  EXPECT_EQ(proto.classes(0).ttft_seconds().p99(), 0.25);
  EXPECT_EQ(proto.classes(0).tpot_seconds().count(), 3);
  EXPECT_EQ(proto.classes(0).e2e_seconds().count(), 4);
  EXPECT_EQ(proto.classes(0).slo().met(), 1);
  EXPECT_FALSE(proto.classes(1).has_slo());
  EXPECT_EQ(proto.cache().input_tokens(), 100);
  EXPECT_EQ(proto.cache().cached_tokens(), 25);
  EXPECT_EQ(proto.cache().hit_ratio(), 0.25);
  EXPECT_EQ(proto.cache().pool_hit_tokens(), 10);
  EXPECT_EQ(proto.cache().pool_evicted_tokens(), 20);
  EXPECT_EQ(proto.cache().pool_max_bytes(), 30);
  EXPECT_THAT(proto.cache().pool_bytes(), ::testing::ElementsAre(1, 2));
  ASSERT_EQ(proto.transfers().links_size(), 1);
  const v1::LinkReport& link = proto.transfers().links(0);
  EXPECT_EQ(link.name(), "gpu/0 out");
  EXPECT_EQ(link.transfers(), 7);
  EXPECT_EQ(link.bytes(), 8000);
  EXPECT_EQ(link.busy_seconds(), 1);
  EXPECT_EQ(link.utilization(), 0.5);
  EXPECT_EQ(proto.transfers().migrations(), 11);
  EXPECT_EQ(proto.transfers().redispatched(), 12);
  EXPECT_EQ(proto.transfers().kv_transfer_seconds().count(), 13);
  EXPECT_EQ(proto.queueing_seconds().p99(), 1.5);
  EXPECT_EQ(proto.decode_queueing_seconds().count(), 14);
  EXPECT_EQ(proto.decode_queueing_seconds().p99(), 2.5);
  EXPECT_EQ(proto.mean_homeless(), 3.5);
}

TEST(EncodeTest, RolesPlacesAndTiersOfWorkers) {
  const v1::Report proto = ToProto(FullReport());
  ASSERT_EQ(proto.workers_size(), 3);
  EXPECT_EQ(proto.workers(0).role(), "both");
  EXPECT_EQ(proto.workers(1).role(), "prefill");
  EXPECT_EQ(proto.workers(2).role(), "decode");
  const v1::WorkerReport& worker = proto.workers(1);
  EXPECT_EQ(worker.node(), 2);
  EXPECT_EQ(worker.kv_bytes_per_block(), 1000);
  EXPECT_EQ(worker.host_bytes_total(), 50'000);
  EXPECT_EQ(worker.prefilled(), 6);
  EXPECT_EQ(worker.swapped_out_bytes(), 3000);
  EXPECT_EQ(worker.swapped_in_bytes(), 2000);
  EXPECT_EQ(worker.max_host_bytes_used(), 4000);
  EXPECT_EQ(worker.unavailable_seconds(), 2);
  EXPECT_EQ(worker.mean_running(), 1.25);
  EXPECT_EQ(worker.mean_waiting(), 2.25);
  EXPECT_EQ(worker.mean_loading(), 3.25);
  EXPECT_EQ(worker.mean_held(), 4.25);
  EXPECT_THAT(worker.timeline().host_bytes(), ::testing::ElementsAre(0, 1500));
  EXPECT_THAT(worker.timeline().running(), ::testing::ElementsAre(1, 2));
  EXPECT_THAT(worker.timeline().waiting(), ::testing::ElementsAre(3, 4));
  EXPECT_THAT(worker.timeline().loading(), ::testing::ElementsAre(5, 6));
  EXPECT_THAT(worker.timeline().held(), ::testing::ElementsAre(7, 8));
}

}  // namespace
}  // namespace tokensim
