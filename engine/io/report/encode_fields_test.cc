// Every field of a report, from the engine's struct to its message: a field that is forgotten, or
// taken from another, makes this fail.
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "engine/io/report/encode.h"

namespace tokensim {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Gives every field that it is told of a value of its own, and remembers it by its path in the
// message.
class Numbers {
 public:
  template <typename Number>
  void Set(const std::string& path, Number* field) {
    *field = static_cast<Number>(++last_);
    expected_[path] = static_cast<double>(*field);
  }
  // A field that the message has in another unit: `per` of them are one.
  template <typename Number>
  void Set(const std::string& path, Number* field, double per) {
    *field = static_cast<Number>(++last_);
    expected_[path] = static_cast<double>(*field) / per;
  }
  void Set(const std::string& path, Distribution* d) {
    Set(path + ".count", &d->count);
    Set(path + ".mean", &d->mean);
    Set(path + ".stddev", &d->stddev);
    Set(path + ".min", &d->min);
    Set(path + ".p50", &d->p50);
    Set(path + ".p90", &d->p90);
    Set(path + ".p95", &d->p95);
    Set(path + ".p99", &d->p99);
    Set(path + ".max", &d->max);
  }
  void Set(const std::string& path, std::optional<SloSummary>* optional) {
    SloSummary& slo = optional->emplace();
    Set(path + ".met", &slo.met);
    Set(path + ".attainment", &slo.attainment);
    Set(path + ".goodput_requests_per_second", &slo.goodput_requests_per_second);
    Set(path + ".goodput_output_tokens_per_second", &slo.goodput_output_tokens_per_second);
    Set(path + ".met_ttft", &slo.met_ttft.emplace());
    Set(path + ".met_tpot", &slo.met_tpot.emplace());
    Set(path + ".met_max_itl", &slo.met_max_itl.emplace());
    Set(path + ".met_e2e", &slo.met_e2e.emplace());
  }
  void Expect(const std::string& path, double value) { expected_[path] = value; }
  [[nodiscard]] const std::map<std::string, double>& expected() const { return expected_; }

 private:
  int64_t last_ = 100;
  std::map<std::string, double> expected_;
};

// Every number in the message by its path; 0 where it is absent. Elements of lists have an index.
void Collect(const Message& message, const std::string& path, std::map<std::string, double>* out) {
  const auto& r = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    const int count = field->is_repeated() ? r.FieldSize(message, field) : 1;
    for (int k = 0; k < count; ++k) {
      const bool repeated = field->is_repeated();
      const std::string at = path + field->name() + (repeated ? '[' + std::to_string(k) + ']' : "");
      switch (field->cpp_type()) {
        case FieldDescriptor::CPPTYPE_MESSAGE:
          Collect(repeated ? r.GetRepeatedMessage(message, field, k) : r.GetMessage(message, field),
                  at + '.', out);
          break;
        case FieldDescriptor::CPPTYPE_INT32:
          (*out)[at] =
              repeated ? r.GetRepeatedInt32(message, field, k) : r.GetInt32(message, field);
          break;
        case FieldDescriptor::CPPTYPE_INT64:
          (*out)[at] = static_cast<double>(repeated ? r.GetRepeatedInt64(message, field, k)
                                                    : r.GetInt64(message, field));
          break;
        case FieldDescriptor::CPPTYPE_DOUBLE:
          (*out)[at] =
              repeated ? r.GetRepeatedDouble(message, field, k) : r.GetDouble(message, field);
          break;
        default:
          break;  // texts and reasons: encode_test.cc
      }
    }
  }
}

void SetRun(Numbers* n, Report* report) {
  n->Set("seed", &report->seed);
  n->Set("simulated_seconds", &report->simulated_seconds);
  n->Set("requests.total", &report->total);
  n->Set("requests.finished", &report->finished);
  n->Set("requests.rejected_max_model_len", &report->rejected_max_model_len);
  n->Set("requests.rejected_kv_capacity", &report->rejected_kv_capacity);
  n->Set("requests.rejected_no_worker", &report->rejected_no_worker);
  n->Set("requests.unfinished", &report->unfinished);
  n->Set("requests.preemptions", &report->preemptions);
  n->Set("throughput.span_seconds", &report->span_seconds);
  n->Set("throughput.requests_per_second", &report->requests_per_second);
  n->Set("throughput.input_tokens_per_second", &report->input_tokens_per_second);
  n->Set("throughput.output_tokens_per_second", &report->output_tokens_per_second);
  n->Set("ttft_seconds", &report->ttft_seconds);
  n->Set("tpot_seconds", &report->tpot_seconds);
  n->Set("e2e_seconds", &report->e2e_seconds);
  n->Set("queueing_seconds", &report->queueing_seconds);
  n->Set("decode_queueing_seconds", &report->decode_queueing_seconds);
  n->Set("mean_homeless", &report->mean_homeless);
  n->Set("normalized_latency_seconds", &report->normalized_latency_seconds);
  n->Set("max_itl_seconds", &report->max_itl_seconds);
  n->Set("input_tokens", &report->input_tokens);
  n->Set("output_tokens", &report->output_tokens);
  n->Set("slo", &report->slo);
}

void SetParts(Numbers* n, Report* report) {
  ClassSummary& client = report->classes.emplace_back();
  n->Set("classes[0].priority", &client.priority);
  n->Set("classes[0].finished", &client.finished);
  n->Set("classes[0].rejected", &client.rejected);
  n->Set("classes[0].ttft_seconds", &client.ttft_seconds);
  n->Set("classes[0].tpot_seconds", &client.tpot_seconds);
  n->Set("classes[0].e2e_seconds", &client.e2e_seconds);
  n->Set("classes[0].slo", &client.slo);
  CacheSummary& cache = report->cache.emplace();
  n->Set("cache.input_tokens", &cache.input_tokens);
  n->Set("cache.cached_tokens", &cache.cached_tokens);
  n->Set("cache.hit_ratio", &cache.hit_ratio);
  n->Set("cache.pool_hit_tokens", &cache.pool.hit_tokens);
  n->Set("cache.pool_evicted_tokens", &cache.pool.evicted_tokens);
  n->Set("cache.pool_max_bytes", &cache.pool.max_bytes);
  n->Set("cache.pool_bytes[0]", &cache.pool.bytes.emplace_back());
  TransferSummary& transfers = report->transfers.emplace();
  n->Set("transfers.migrations", &transfers.migrations);
  n->Set("transfers.redispatched", &transfers.redispatched);
  n->Set("transfers.kv_transfer_seconds", &transfers.kv_transfer_seconds);
  TransferSummary::Link& link = transfers.links.emplace_back();
  n->Set("transfers.links[0].transfers", &link.use.transfers);
  n->Set("transfers.links[0].bytes", &link.use.bytes);
  n->Set("transfers.links[0].busy_seconds", &link.use.busy, kNanosPerSecond);
  n->Set("transfers.links[0].utilization", &link.utilization);
  WindowSummary& window = report->window.emplace();
  n->Set("window.start_seconds", &window.window.start, kNanosPerSecond);
  n->Set("window.end_seconds", &window.window.end, kNanosPerSecond);
  n->Set("window.finished", &window.finished);
  n->Set("window.rejected", &window.rejected);
  CostSummary& cost = report->cost.emplace();
  n->Set("cost.dollars_per_hour", &cost.dollars_per_hour);
  n->Set("cost.dollars", &cost.dollars);
  n->Set("cost.dollars_per_million_output_tokens",
         &cost.dollars_per_million_output_tokens.emplace());
  n->Set("cost.dollars_per_million_tokens", &cost.dollars_per_million_tokens.emplace());
  n->Set("cost.requests_per_dollar", &cost.requests_per_dollar.emplace());
  EnergySummary& energy = report->energy.emplace();
  n->Set("energy.max_watts", &energy.max_watts);
  n->Set("energy.max_kilowatt_hours", &energy.max_kilowatt_hours);
  n->Set("energy.max_joules_per_output_token", &energy.max_joules_per_output_token.emplace());
}

void SetWorker(Numbers* n, const std::string& at, WorkerSummary* worker) {
  constexpr int64_t kBytes = 1000;  // per block
  worker->kv_bytes_per_block = kBytes;
  n->Expect(at + "kv_bytes_per_block", kBytes);
  WorkerStats& stats = worker->stats;
  n->Set(at + "requests", &stats.finished);
  n->Set(at + "iterations", &stats.iterations);
  n->Set(at + "prefill_tokens", &stats.prefill_tokens);
  n->Set(at + "decode_tokens", &stats.decode_tokens);
  n->Set(at + "preemptions", &stats.preemptions);
  n->Set(at + "busy_seconds", &stats.busy, kNanosPerSecond);
  n->Set(at + "utilization", &worker->utilization);
  n->Set(at + "mean_running", &worker->mean_running);
  n->Set(at + "mean_waiting", &worker->mean_waiting);
  n->Set(at + "mean_loading", &worker->mean_loading);
  n->Set(at + "mean_held", &worker->mean_held);
  n->Set(at + "max_running", &stats.max_running);
  n->Set(at + "kv_blocks_total", &worker->kv_blocks_total);
  n->Set(at + "block_size", &worker->block_size);
  n->Set(at + "mean_kv_utilization", &worker->mean_kv_utilization);
  n->Set(at + "max_kv_blocks_used", &stats.max_kv_blocks_used);
  n->Set(at + "node", &worker->node);
  n->Set(at + "prefilled", &worker->prefilled);
  n->Set(at + "unavailable_seconds", &stats.unavailable, kNanosPerSecond);
  n->Set(at + "swapped_out_bytes", &stats.swapped_out_blocks, 1.0 / kBytes);
  n->Set(at + "swapped_in_bytes", &stats.swapped_in_blocks, 1.0 / kBytes);
  n->Set(at + "max_host_bytes_used", &stats.max_host_blocks_used, 1.0 / kBytes);
  n->Set(at + "host_bytes_total", &worker->host_blocks_total, 1.0 / kBytes);
  WorkerTimeline& timeline = worker->timeline;
  n->Set(at + "timeline.interval_seconds", &timeline.interval, kNanosPerSecond);
  n->Set(at + "timeline.running[0]", &timeline.running.emplace_back());
  n->Set(at + "timeline.loading[0]", &timeline.loading.emplace_back());
  n->Set(at + "timeline.held[0]", &timeline.held.emplace_back());
  n->Set(at + "timeline.waiting[0]", &timeline.waiting.emplace_back());
  n->Set(at + "timeline.kv_utilization[0]", &timeline.kv_blocks_used.emplace_back(),
         static_cast<double>(worker->kv_blocks_total));
  n->Set(at + "timeline.busy[0]", &timeline.busy.emplace_back());
  n->Set(at + "timeline.host_bytes[0]", &timeline.stored.emplace_back(), 1.0 / kBytes);
}

TEST(EncodeFieldsTest, EveryNumberOfAReportComesFromItsField) {
  Numbers numbers;
  Report report;
  SetRun(&numbers, &report);
  SetParts(&numbers, &report);
  for (int i = 0; i < 2; ++i) {
    const std::string at = "workers[" + std::to_string(i) + "].";
    SetWorker(&numbers, at, &report.workers.emplace_back());
    numbers.Expect(at + "worker", i);
  }
  v1::Report message = ToProto(report);
  EXPECT_FALSE(message.has_execution()) << "it tells of the machine";
  std::map<std::string, double> actual;
  Collect(message, "", &actual);
  for (const auto& [path, value] : actual) {
    if (path.starts_with("execution.")) continue;
    ASSERT_TRUE(numbers.expected().contains(path)) << path << " is not in this test";
    EXPECT_DOUBLE_EQ(value, numbers.expected().at(path)) << path;
  }
  for (const auto& [path, value] : numbers.expected()) EXPECT_TRUE(actual.contains(path)) << path;
}

TEST(EncodeFieldsTest, ProgressIsThatOfTheNearestLimit) {
  Plan plan;
  const Progress progress{
      .total = 1000, .arrived = 300, .finished = 200, .now = 5 * kNanosPerSecond, .events = 700};
  v1::Progress out = ToProto(progress, plan);
  EXPECT_EQ(out.requests_total(), 1000);
  EXPECT_EQ(out.requests_arrived(), 300);
  EXPECT_EQ(out.requests_finished(), 200);
  EXPECT_EQ(out.simulated_seconds(), 5);
  EXPECT_EQ(out.events(), 700);
  EXPECT_DOUBLE_EQ(out.fraction(), 0.2);
  plan.max_simulated_time = 10 * kNanosPerSecond;
  EXPECT_DOUBLE_EQ(ToProto(progress, plan).fraction(), 0.5);
  plan.max_events = 1000;
  EXPECT_DOUBLE_EQ(ToProto(progress, plan).fraction(), 0.7);
  plan.workload.duration = progress.now * 5 / 4;
  EXPECT_DOUBLE_EQ(ToProto(progress, plan).fraction(), 0.8);
  plan.max_events = 100;
  EXPECT_DOUBLE_EQ(ToProto(progress, plan).fraction(), 1);
  EXPECT_EQ(ToProto(Progress(), Plan()).fraction(), 0);
}

TEST(EncodeFieldsTest, ExecutionCountsTheRequestsThatEnded) {
  Report report;
  report.total = 1000;
  report.finished = 60;
  report.rejected_kv_capacity = 20;
  report.rejected_max_model_len = 10;
  report.rejected_no_worker = 10;
  report.unfinished = 5;
  report.simulated_seconds = 30;
  report.events = 7;
  v1::Execution execution;
  SetExecution(report, 2, &execution);
  EXPECT_EQ(execution.wall_seconds(), 2);
  EXPECT_EQ(execution.requests_per_second(), 50);
  EXPECT_EQ(execution.speedup(), 15);
  EXPECT_EQ(execution.events(), 7);
  v1::Execution no_time;
  SetExecution(report, 0, &no_time);
  EXPECT_EQ(no_time.requests_per_second(), 0);
  EXPECT_EQ(no_time.speedup(), 0);
}

}  // namespace
}  // namespace tokensim
