#include "engine/io/events/event_encoder.h"

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>
#include <variant>

#include "engine/io/report/encode.h"

namespace tokensim {
namespace {

v1::DispatchReason ToProto(DispatchReason reason) {
  switch (reason) {
    case DispatchReason::kPrefilled:
      return v1::DISPATCH_REASON_PREFILLED;
    case DispatchReason::kMigrated:
      return v1::DISPATCH_REASON_MIGRATED;
    case DispatchReason::kWorkerFailed:
      return v1::DISPATCH_REASON_WORKER_FAILED;
  }
  return v1::DISPATCH_REASON_UNSPECIFIED;
}

v1::WorkerState ToProto(WorkerStatus status) {
  switch (status) {
    case WorkerStatus::kServing:
      return v1::WORKER_STATE_SERVING;
    case WorkerStatus::kStarting:
      return v1::WORKER_STATE_STARTING;
    case WorkerStatus::kDraining:
      return v1::WORKER_STATE_DRAINING;
    case WorkerStatus::kStopped:
      return v1::WORKER_STATE_STOPPED;
    case WorkerStatus::kFailed:
      return v1::WORKER_STATE_FAILED;
  }
  return v1::WORKER_STATE_UNSPECIFIED;
}

// What users call each kind of event.
constexpr v1::EventKind KindOf(const ArrivedEvent&) { return v1::EVENT_KIND_REQUEST_ARRIVED; }
constexpr v1::EventKind KindOf(const ScheduledEvent&) { return v1::EVENT_KIND_REQUEST_SCHEDULED; }
constexpr v1::EventKind KindOf(const FirstTokenEvent&) { return v1::EVENT_KIND_FIRST_TOKEN; }
constexpr v1::EventKind KindOf(const TokensEvent&) { return v1::EVENT_KIND_TOKEN_BATCH; }
constexpr v1::EventKind KindOf(const PreemptedEvent&) { return v1::EVENT_KIND_REQUEST_PREEMPTED; }
constexpr v1::EventKind KindOf(const FinishedEvent&) { return v1::EVENT_KIND_REQUEST_FINISHED; }
constexpr v1::EventKind KindOf(const RejectedEvent&) { return v1::EVENT_KIND_REQUEST_REJECTED; }
constexpr v1::EventKind KindOf(const IterationEvent&) { return v1::EVENT_KIND_ITERATION; }
constexpr v1::EventKind KindOf(const SnapshotEvent&) { return v1::EVENT_KIND_MEMORY_SNAPSHOT; }
constexpr v1::EventKind KindOf(const SwappedEvent&) { return v1::EVENT_KIND_REQUEST_SWAPPED; }
constexpr v1::EventKind KindOf(const TransferredEvent&) { return v1::EVENT_KIND_KV_TRANSFERRED; }
constexpr v1::EventKind KindOf(const DispatchedEvent&) { return v1::EVENT_KIND_REQUEST_DISPATCHED; }
constexpr v1::EventKind KindOf(const WorkerChangedEvent&) { return v1::EVENT_KIND_WORKER_CHANGED; }
constexpr v1::EventKind KindOf(const OperatorEvent&) { return v1::EVENT_KIND_OPERATOR_LOG; }

// Whether the filter lets an event pass: by its kind and time, and by the worker and the request it
// is about, if any. An event between two workers passes for either. The end always passes.
template <typename E>
bool Passes(const CompiledEventFilter& filter, SimTime now, const E& e) {
  if (!filter.Passes(KindOf(e), now)) return false;
  if constexpr (requires { e.record; }) {
    return filter.PassesWorker(e.record.worker) && filter.PassesRequest(e.record.request_id);
  }
  if constexpr (requires { e.worker; }) {
    if (!filter.PassesWorker(e.worker)) return false;
  }
  if constexpr (requires { e.from; }) {
    if (!filter.PassesWorker(e.from) && !filter.PassesWorker(e.to)) return false;
  }
  if constexpr (requires { e.request_id; }) {
    if (!filter.PassesRequest(e.request_id)) return false;
  }
  return true;
}
bool Passes(const CompiledEventFilter& /*filter*/, SimTime /*now*/, const EndedEvent& /*e*/) {
  return true;
}

// Writes the body of an event.
struct Writer {
  const std::vector<int64_t>& kv_bytes_per_block;  // by worker

  void Write(const ArrivedEvent& e, v1::Event* out) const {
    v1::RequestArrived* body = out->mutable_request_arrived();
    body->set_request_id(e.request_id);
    body->set_worker(e.worker);
    body->set_input_tokens(e.input_tokens);
  }
  void Write(const ScheduledEvent& e, v1::Event* out) const {
    v1::RequestScheduled* body = out->mutable_request_scheduled();
    body->set_request_id(e.request_id);
    body->set_worker(e.worker);
  }
  void Write(const FirstTokenEvent& e, v1::Event* out) const {
    v1::FirstToken* body = out->mutable_first_token();
    body->set_request_id(e.request_id);
    body->set_worker(e.worker);
  }
  void Write(const TokensEvent& e, v1::Event* out) const {
    v1::TokenBatch* body = out->mutable_token_batch();
    body->set_request_id(e.request_id);
    body->set_worker(e.worker);
    body->set_first_token_index(e.first_token_index);
    body->set_first_token_time_ns(e.times[0]);
    const size_t gaps = e.times.size() - 1;
    body->mutable_gap_ns()->Resize(static_cast<int>(gaps), 0);
    int64_t* gap = body->mutable_gap_ns()->mutable_data();
    for (size_t i = 0; i < gaps; ++i) gap[i] = e.times[i + 1] - e.times[i];
  }
  void Write(const PreemptedEvent& e, v1::Event* out) const {
    v1::RequestPreempted* body = out->mutable_request_preempted();
    body->set_request_id(e.request_id);
    body->set_worker(e.worker);
    body->set_generated_tokens(e.generated_tokens);
  }
  void Write(const FinishedEvent& e, v1::Event* out) const {
    ToProto(e.record, out->mutable_request_finished()->mutable_record());
  }
  void Write(const RejectedEvent& e, v1::Event* out) const {
    ToProto(e.record, out->mutable_request_rejected()->mutable_record());
  }
  void Write(const IterationEvent& e, v1::Event* out) const {
    v1::Iteration* body = out->mutable_iteration();
    body->set_worker(e.worker);
    body->set_index(e.index);
    body->set_duration_ns(e.duration);
    body->set_prefill_tokens(static_cast<int32_t>(e.prefill_tokens));
    body->set_prefill_chunks(e.prefill_chunks);
    body->set_decode_tokens(e.decode_tokens);
    body->set_kv_blocks_used(e.kv_blocks_used);
    body->set_running(e.running);
    body->set_waiting(e.waiting);
  }
  void Write(const SnapshotEvent& e, v1::Event* out) const {
    v1::MemorySnapshot* body = out->mutable_memory_snapshot();
    for (size_t i = 0; i < e.workers.size(); ++i) {
      v1::WorkerMemory* memory = body->add_workers();
      memory->set_worker(static_cast<int32_t>(i));
      memory->set_kv_blocks_used(e.workers[i].kv_blocks_used);
      memory->set_kv_blocks_total(e.workers[i].kv_blocks_total);
      memory->set_running(e.workers[i].running);
      memory->set_waiting(e.workers[i].waiting);
      memory->set_host_bytes_used(Bytes(e.workers[i].host_blocks_used, i));
      memory->set_host_bytes_total(Bytes(e.workers[i].host_blocks_total, i));
      memory->set_cached_blocks(e.workers[i].cached_blocks);
      memory->set_loading(e.workers[i].loading);
      memory->set_held(e.workers[i].held);
    }
    body->set_pool_bytes_used(e.pool_bytes);
  }
  void Write(const SwappedEvent& e, v1::Event* out) const {
    v1::RequestSwapped* body = out->mutable_request_swapped();
    body->set_request_id(e.request_id);
    body->set_worker(e.worker);
    body->set_out(e.out);
    body->set_bytes(Bytes(e.blocks, static_cast<size_t>(e.worker)));
    body->set_generated_tokens(e.generated_tokens);
  }
  void Write(const TransferredEvent& e, v1::Event* out) const {
    v1::KvTransferred* body = out->mutable_kv_transferred();
    body->set_request_id(e.request_id);
    body->set_from_worker(e.from);
    body->set_to_worker(e.to);
    body->set_start_time_ns(e.start);
    body->set_bytes(e.bytes);
    body->set_tokens(e.tokens);
  }
  void Write(const DispatchedEvent& e, v1::Event* out) const {
    v1::RequestDispatched* body = out->mutable_request_dispatched();
    body->set_request_id(e.request_id);
    body->set_from_worker(e.from);
    body->set_to_worker(e.to);
    body->set_reason(ToProto(e.reason));
  }
  void Write(const WorkerChangedEvent& e, v1::Event* out) const {
    v1::WorkerChanged* body = out->mutable_worker_changed();
    body->set_worker(e.worker);
    body->set_state(ToProto(e.status));
  }
  void Write(const OperatorEvent& e, v1::Event* out) const {
    v1::OperatorLog* body = out->mutable_operator_log();
    body->set_worker(e.worker);
    body->set_operator_name(std::string(e.name));
    body->set_layer(e.layer);
    body->set_start_time_ns(e.start);
    body->set_duration_ns(e.duration);
  }
  void Write(const EndedEvent& e, v1::Event* out) const {
    v1::SimulationEnded* body = out->mutable_simulation_ended();
    body->set_reason(ToProto(e.reason));
    body->set_finished(e.finished);
    body->set_rejected(e.rejected);
    body->set_unfinished(e.unfinished);
  }

  [[nodiscard]] int64_t Bytes(int64_t blocks, size_t worker) const {
    return blocks * kv_bytes_per_block[worker];
  }
};

}  // namespace

EventEncoder::EventEncoder(const ReplayOptions& options, const Plan& plan)
    : filter_(options.filter),
      after_(options.after_sequence),
      until_(options.until_sequence > 0 ? options.until_sequence
                                        : std::numeric_limits<int64_t>::max()),
      max_bytes_(options.max_batch_bytes) {
  for (const WorkerPlan& worker : plan.workers) {
    kv_bytes_per_block_.push_back(worker.KvBlockBytes());
  }
}

void EventEncoder::Attach(v1::EventBatch* batch, bool clear) {
  batch_ = batch;
  if (clear) {
    batch->Clear();
    bytes_ = 0;
  }
  while (has_overflow() && !full()) {
    v1::Event* event = batch->add_events();
    *event = overflow_.events(overflow_next_++);
    Count(*event);
  }
  if (!has_overflow()) {
    overflow_.Clear();
    overflow_next_ = 0;
  }
}

void EventEncoder::Detach() {
  // Everything before the overflow is covered, whether it was encoded or skipped.
  const int64_t passed =
      has_overflow() ? overflow_.events(overflow_next_).sequence() - 1 : sequence_;
  batch_->set_covered_through(std::max(after_, std::min(passed, until_)));
  batch_ = nullptr;
}

v1::Event* EventEncoder::Begin(SimTime now) {
  v1::EventBatch* target = full() || has_overflow() ? &overflow_ : batch_;
  v1::Event* event = target->add_events();
  event->set_sequence(sequence_);
  event->set_time_ns(now);
  return event;
}

void EventEncoder::End(const v1::Event& event) {
  if (!has_overflow()) Count(event);
}

void EventEncoder::Count(const v1::Event& event) {
  const size_t size = event.ByteSizeLong();
  bytes_ += static_cast<int64_t>(size) + (size < 128 ? 2 : 4);  // tag and length
}

void EventEncoder::OnEvent(SimTime now, const Event& event) {
  ++sequence_;
  if (sequence_ <= after_ || sequence_ > until_) return;
  std::visit(
      [&](const auto& e) {
        if (!Passes(filter_, now, e)) return;
        v1::Event* out = Begin(now);
        Writer{kv_bytes_per_block_}.Write(e, out);
        End(*out);
        if constexpr (std::is_same_v<decltype(e), const EndedEvent&>) encoded_end_ = true;
      },
      event);
}

}  // namespace tokensim
