#include "engine/io/report/encode.h"

#include <algorithm>

#include "engine/base/version.h"

namespace tokensim {
namespace {

void Encode(const Distribution& from, v1::Distribution* to) {
  to->set_count(from.count);
  to->set_mean(from.mean);
  to->set_stddev(from.stddev);
  to->set_min(from.min);
  to->set_p50(from.p50);
  to->set_p90(from.p90);
  to->set_p95(from.p95);
  to->set_p99(from.p99);
  to->set_max(from.max);
}

void Encode(const SloSummary& from, v1::SloReport* to) {
  to->set_met(from.met);
  to->set_attainment(from.attainment);
  to->set_goodput_requests_per_second(from.goodput_requests_per_second);
  to->set_goodput_output_tokens_per_second(from.goodput_output_tokens_per_second);
  if (from.met_ttft) to->set_met_ttft(*from.met_ttft);
  if (from.met_tpot) to->set_met_tpot(*from.met_tpot);
  if (from.met_max_itl) to->set_met_max_itl(*from.met_max_itl);
  if (from.met_e2e) to->set_met_e2e(*from.met_e2e);
}

const char* RoleName(Role role) {
  switch (role) {
    case Role::kBoth:
      return "both";
    case Role::kPrefill:
      return "prefill";
    case Role::kDecode:
      return "decode";
  }
  return "";
}

const char* NameOf(Confidence confidence) {
  switch (confidence) {
    case Confidence::kMeasured:
      return "measured";
    case Confidence::kFitted:
      return "fitted";
    case Confidence::kAssumed:
      return "assumed";
  }
  return "";
}

void Encode(const ClassSummary& from, v1::ClassReport* to) {
  to->set_name(from.name);
  to->set_priority(from.priority);
  to->set_finished(from.finished);
  to->set_rejected(from.rejected);
  Encode(from.ttft_seconds, to->mutable_ttft_seconds());
  Encode(from.tpot_seconds, to->mutable_tpot_seconds());
  Encode(from.e2e_seconds, to->mutable_e2e_seconds());
  if (from.slo) Encode(*from.slo, to->mutable_slo());
}

void Encode(const CacheSummary& from, v1::CacheReport* to) {
  to->set_input_tokens(from.input_tokens);
  to->set_cached_tokens(from.cached_tokens);
  to->set_hit_ratio(from.hit_ratio);
  to->set_pool_hit_tokens(from.pool.hit_tokens);
  to->set_pool_evicted_tokens(from.pool.evicted_tokens);
  to->set_pool_max_bytes(from.pool.max_bytes);
  to->mutable_pool_bytes()->Assign(from.pool.bytes.begin(), from.pool.bytes.end());
}

void Encode(const TransferSummary& from, v1::TransferReport* to) {
  for (const TransferSummary::Link& link : from.links) {
    v1::LinkReport* entry = to->add_links();
    entry->set_name(link.use.name);
    entry->set_transfers(link.use.transfers);
    entry->set_bytes(link.use.bytes);
    entry->set_busy_seconds(ToSeconds(link.use.busy));
    entry->set_utilization(link.utilization);
  }
  to->set_migrations(from.migrations);
  to->set_redispatched(from.redispatched);
  Encode(from.kv_transfer_seconds, to->mutable_kv_transfer_seconds());
}

void Encode(const WorkerTimeline& from, int64_t kv_blocks, int64_t kv_bytes_per_block,
            v1::Timeline* to) {
  to->set_interval_seconds(ToSeconds(from.interval));
  to->mutable_running()->Assign(from.running.begin(), from.running.end());
  to->mutable_waiting()->Assign(from.waiting.begin(), from.waiting.end());
  for (const double blocks : from.kv_blocks_used) {
    to->add_kv_utilization(blocks / static_cast<double>(kv_blocks));
  }
  to->mutable_busy()->Assign(from.busy.begin(), from.busy.end());
  for (const double blocks : from.stored) {
    to->add_host_bytes(blocks * static_cast<double>(kv_bytes_per_block));
  }
  to->mutable_loading()->Assign(from.loading.begin(), from.loading.end());
  to->mutable_held()->Assign(from.held.begin(), from.held.end());
}

void Encode(const WorkerSummary& from, v1::WorkerReport* to) {
  to->set_name(from.name);
  to->set_hardware(from.hardware);
  to->set_requests(from.stats.finished);
  to->set_iterations(from.stats.iterations);
  to->set_prefill_tokens(from.stats.prefill_tokens);
  to->set_decode_tokens(from.stats.decode_tokens);
  to->set_preemptions(from.stats.preemptions);
  to->set_busy_seconds(ToSeconds(from.stats.busy));
  to->set_utilization(from.utilization);
  to->set_mean_running(from.mean_running);
  to->set_max_running(from.stats.max_running);
  to->set_kv_blocks_total(from.kv_blocks_total);
  to->set_block_size(from.block_size);
  to->set_mean_kv_utilization(from.mean_kv_utilization);
  to->set_max_kv_blocks_used(from.stats.max_kv_blocks_used);
  to->set_node(from.node);
  to->set_kv_bytes_per_block(from.kv_bytes_per_block);
  to->set_swapped_out_bytes(from.stats.swapped_out_blocks * from.kv_bytes_per_block);
  to->set_swapped_in_bytes(from.stats.swapped_in_blocks * from.kv_bytes_per_block);
  to->set_max_host_bytes_used(from.stats.max_host_blocks_used * from.kv_bytes_per_block);
  to->set_host_bytes_total(from.host_blocks_total * from.kv_bytes_per_block);
  to->set_prefilled(from.prefilled);
  to->set_unavailable_seconds(ToSeconds(from.stats.unavailable));
  to->set_mean_waiting(from.mean_waiting);
  to->set_mean_loading(from.mean_loading);
  to->set_mean_held(from.mean_held);
  for (const OperatorSource& op : from.operators) {
    v1::OperatorSource* source = to->add_operators();
    source->set_name(op.name);
    source->set_source(op.source);
    source->set_confidence(NameOf(op.quality.confidence));
    if (op.quality.error) source->set_error(*op.quality.error);
  }
  Encode(from.timeline, from.kv_blocks_total, from.kv_bytes_per_block, to->mutable_timeline());
}

void Encode(const WindowSummary& from, v1::WindowReport* to) {
  to->set_start_seconds(ToSeconds(from.window.start));
  if (from.window.end != kNever) to->set_end_seconds(ToSeconds(from.window.end));
  to->set_finished(from.finished);
  to->set_rejected(from.rejected);
}

void Encode(const CostSummary& from, v1::CostReport* to) {
  to->set_dollars_per_hour(from.dollars_per_hour);
  to->set_dollars(from.dollars);
  if (from.dollars_per_million_output_tokens) {
    to->set_dollars_per_million_output_tokens(*from.dollars_per_million_output_tokens);
  }
  if (from.dollars_per_million_tokens) {
    to->set_dollars_per_million_tokens(*from.dollars_per_million_tokens);
  }
  if (from.requests_per_dollar) to->set_requests_per_dollar(*from.requests_per_dollar);
}

void Encode(const EnergySummary& from, v1::EnergyReport* to) {
  to->set_max_watts(from.max_watts);
  to->set_max_kilowatt_hours(from.max_kilowatt_hours);
  if (from.max_joules_per_output_token) {
    to->set_max_joules_per_output_token(*from.max_joules_per_output_token);
  }
}

void EncodeCounts(const Report& from, v1::RequestCounts* to) {
  to->set_total(from.total);
  to->set_finished(from.finished);
  to->set_rejected_max_model_len(from.rejected_max_model_len);
  to->set_rejected_kv_capacity(from.rejected_kv_capacity);
  to->set_rejected_no_worker(from.rejected_no_worker);
  to->set_unfinished(from.unfinished);
  to->set_preemptions(from.preemptions);
}

RejectReason FromProto(v1::RejectReason reason) {
  switch (reason) {
    case v1::REJECT_REASON_MAX_MODEL_LEN:
      return RejectReason::kMaxModelLen;
    case v1::REJECT_REASON_KV_CAPACITY:
      return RejectReason::kKvCapacity;
    case v1::REJECT_REASON_NO_WORKER:
      return RejectReason::kNoWorker;
    default:
      return RejectReason::kNone;
  }
}

}  // namespace

v1::EndReason ToProto(EndReason reason) {
  switch (reason) {
    case EndReason::kCompleted:
      return v1::END_REASON_COMPLETED;
    case EndReason::kMaxSimulatedTime:
      return v1::END_REASON_MAX_SIMULATED_TIME;
    case EndReason::kMaxEvents:
      return v1::END_REASON_MAX_EVENTS;
    case EndReason::kNone:
      break;
  }
  return v1::END_REASON_UNSPECIFIED;
}

v1::RejectReason ToProto(RejectReason reason) {
  switch (reason) {
    case RejectReason::kMaxModelLen:
      return v1::REJECT_REASON_MAX_MODEL_LEN;
    case RejectReason::kKvCapacity:
      return v1::REJECT_REASON_KV_CAPACITY;
    case RejectReason::kNoWorker:
      return v1::REJECT_REASON_NO_WORKER;
    case RejectReason::kNone:
      break;
  }
  return v1::REJECT_REASON_UNSPECIFIED;
}

void ToProto(const RequestRecord& record, v1::RequestRecord* out) {
  out->set_request_id(record.request_id);
  out->set_arrival_ns(record.arrival);
  out->set_queued_ns(record.queued);
  out->set_scheduled_ns(record.scheduled);
  out->set_first_token_ns(record.first_token);
  out->set_finish_ns(record.finish);
  out->set_input_tokens(record.input_tokens);
  out->set_output_tokens(record.output_tokens);
  out->set_cached_tokens(record.cached_tokens);
  out->set_preemptions(record.preemptions);
  out->set_worker(record.worker);
  out->set_max_itl_ns(record.max_itl);
  out->set_reject_reason(ToProto(record.reject_reason));
  out->set_client_class(record.client_class);
  out->set_conversation(record.conversation);
  out->set_turn(record.turn);
  out->set_prefill_worker(record.prefill_worker);
  out->set_kv_transfer_ns(record.kv_transfer);
  out->set_decode_queueing_ns(record.decode_queueing);
}

RequestRecord FromProto(const v1::RequestRecord& record) {
  RequestRecord out;
  out.request_id = record.request_id();
  out.arrival = record.arrival_ns();
  out.queued = record.queued_ns();
  out.scheduled = record.scheduled_ns();
  out.first_token = record.first_token_ns();
  out.finish = record.finish_ns();
  out.max_itl = record.max_itl_ns();
  out.input_tokens = record.input_tokens();
  out.output_tokens = record.output_tokens();
  out.cached_tokens = record.cached_tokens();
  out.worker = record.worker();
  out.preemptions = record.preemptions();
  out.reject_reason = FromProto(record.reject_reason());
  out.client_class = record.client_class();
  out.conversation = record.conversation();
  out.turn = record.turn();
  out.prefill_worker = record.prefill_worker();
  out.kv_transfer = record.kv_transfer_ns();
  out.decode_queueing = record.decode_queueing_ns();
  return out;
}

v1::Report ToProto(const Report& report) {
  v1::Report out;
  out.set_spec_name(report.spec_name);
  out.set_seed(static_cast<int64_t>(report.seed));
  out.set_engine_version(kEngineVersion);
  out.set_end_reason(ToProto(report.end_reason));
  EncodeCounts(report, out.mutable_requests());
  out.set_simulated_seconds(report.simulated_seconds);
  v1::Throughput* throughput = out.mutable_throughput();
  throughput->set_span_seconds(report.span_seconds);
  throughput->set_requests_per_second(report.requests_per_second);
  throughput->set_input_tokens_per_second(report.input_tokens_per_second);
  throughput->set_output_tokens_per_second(report.output_tokens_per_second);
  Encode(report.ttft_seconds, out.mutable_ttft_seconds());
  Encode(report.tpot_seconds, out.mutable_tpot_seconds());
  Encode(report.e2e_seconds, out.mutable_e2e_seconds());
  Encode(report.queueing_seconds, out.mutable_queueing_seconds());
  if (report.decode_queueing_seconds.count > 0) {
    Encode(report.decode_queueing_seconds, out.mutable_decode_queueing_seconds());
  }
  out.set_mean_homeless(report.mean_homeless);
  Encode(report.normalized_latency_seconds, out.mutable_normalized_latency_seconds());
  Encode(report.max_itl_seconds, out.mutable_max_itl_seconds());
  Encode(report.input_tokens, out.mutable_input_tokens());
  Encode(report.output_tokens, out.mutable_output_tokens());
  if (report.slo) Encode(*report.slo, out.mutable_slo());
  // Roles are only told where there are any.
  const bool has_roles =
      std::any_of(report.workers.begin(), report.workers.end(),
                  [](const WorkerSummary& worker) { return worker.role != Role::kBoth; });
  int32_t index = 0;
  for (const WorkerSummary& worker : report.workers) {
    v1::WorkerReport* entry = out.add_workers();
    entry->set_worker(index++);
    Encode(worker, entry);
    if (has_roles) entry->set_role(RoleName(worker.role));
  }
  out.mutable_notes()->Assign(report.notes.begin(), report.notes.end());
  for (const ClassSummary& client : report.classes) Encode(client, out.add_classes());
  if (report.cache) Encode(*report.cache, out.mutable_cache());
  if (report.transfers) Encode(*report.transfers, out.mutable_transfers());
  if (report.window) Encode(*report.window, out.mutable_window());
  if (report.cost) Encode(*report.cost, out.mutable_cost());
  if (report.energy) Encode(*report.energy, out.mutable_energy());
  return out;
}

v1::Progress ToProto(const Progress& progress, const Plan& plan) {
  v1::Progress out;
  out.set_requests_total(progress.total);
  out.set_requests_arrived(progress.arrived);
  out.set_requests_finished(progress.finished);
  out.set_simulated_seconds(ToSeconds(progress.now));
  out.set_events(progress.events);
  double fraction = 0;
  const auto reach = [&fraction](int64_t now, int64_t end) {
    if (end <= 0) return;
    fraction = std::max(fraction, static_cast<double>(now) / static_cast<double>(end));
  };
  reach(progress.finished, progress.total);
  if (plan.workload.duration != kNever) reach(progress.now, plan.workload.duration);
  if (plan.max_simulated_time != kNever) reach(progress.now, plan.max_simulated_time);
  reach(progress.events, plan.max_events);
  out.set_fraction(std::min(fraction, 1.0));
  return out;
}

void SetExecution(const Report& report, double wall_seconds, v1::Execution* out) {
  out->set_wall_seconds(wall_seconds);
  out->set_events(report.events);
  if (wall_seconds <= 0) return;
  const auto ended = static_cast<double>(report.finished + report.rejected());
  out->set_requests_per_second(ended / wall_seconds);
  out->set_speedup(report.simulated_seconds / wall_seconds);
}

}  // namespace tokensim
