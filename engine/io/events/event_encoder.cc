#include "engine/io/events/event_encoder.h"

#include <algorithm>
#include <limits>

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

}  // namespace

EventEncoder::EventEncoder(const ReplayOptions& options, const Plan& plan)
    : filter_(options.filter),
      after_(options.after_sequence),
      until_(options.until_sequence > 0 ? options.until_sequence
                                        : std::numeric_limits<int64_t>::max()),
      max_bytes_(options.max_batch_bytes) {
  for (const WorkerPlan& worker : plan.workers) {
    kv_bytes_per_block_.push_back(worker.kv_bytes_per_token * worker.block_size);
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

void EventEncoder::OnArrived(SimTime now, int64_t request_id, int32_t worker,
                             int32_t input_tokens) {
  if (!NextOfRequest(v1::EVENT_KIND_REQUEST_ARRIVED, now, worker, request_id)) return;
  v1::Event* event = Begin(now);
  v1::RequestArrived* body = event->mutable_request_arrived();
  body->set_request_id(request_id);
  body->set_worker(worker);
  body->set_input_tokens(input_tokens);
  End(*event);
}

void EventEncoder::OnScheduled(SimTime now, int64_t request_id, int32_t worker) {
  if (!NextOfRequest(v1::EVENT_KIND_REQUEST_SCHEDULED, now, worker, request_id)) return;
  v1::Event* event = Begin(now);
  v1::RequestScheduled* body = event->mutable_request_scheduled();
  body->set_request_id(request_id);
  body->set_worker(worker);
  End(*event);
}

void EventEncoder::OnFirstToken(SimTime now, int64_t request_id, int32_t worker) {
  if (!NextOfRequest(v1::EVENT_KIND_FIRST_TOKEN, now, worker, request_id)) return;
  v1::Event* event = Begin(now);
  v1::FirstToken* body = event->mutable_first_token();
  body->set_request_id(request_id);
  body->set_worker(worker);
  End(*event);
}

void EventEncoder::OnTokens(SimTime now, const TokenSpan& tokens) {
  if (!NextOfRequest(v1::EVENT_KIND_TOKEN_BATCH, now, tokens.worker, tokens.request_id)) return;
  v1::Event* event = Begin(now);
  v1::TokenBatch* body = event->mutable_token_batch();
  body->set_request_id(tokens.request_id);
  body->set_worker(tokens.worker);
  body->set_first_token_index(tokens.first_token_index);
  body->set_first_token_time_ns(tokens.times[0]);
  const size_t gaps = tokens.times.size() - 1;
  body->mutable_gap_ns()->Resize(static_cast<int>(gaps), 0);
  int64_t* gap = body->mutable_gap_ns()->mutable_data();
  for (size_t i = 0; i < gaps; ++i) gap[i] = tokens.times[i + 1] - tokens.times[i];
  End(*event);
}

void EventEncoder::OnPreempted(SimTime now, int64_t request_id, int32_t worker,
                               int32_t generated_tokens) {
  if (!NextOfRequest(v1::EVENT_KIND_REQUEST_PREEMPTED, now, worker, request_id)) return;
  v1::Event* event = Begin(now);
  v1::RequestPreempted* body = event->mutable_request_preempted();
  body->set_request_id(request_id);
  body->set_worker(worker);
  body->set_generated_tokens(generated_tokens);
  End(*event);
}

void EventEncoder::OnFinished(SimTime now, const RequestRecord& record) {
  if (!NextOfRequest(v1::EVENT_KIND_REQUEST_FINISHED, now, record.worker, record.request_id)) {
    return;
  }
  v1::Event* event = Begin(now);
  ToProto(record, event->mutable_request_finished()->mutable_record());
  End(*event);
}

void EventEncoder::OnRejected(SimTime now, const RequestRecord& record) {
  if (!NextOfRequest(v1::EVENT_KIND_REQUEST_REJECTED, now, record.worker, record.request_id)) {
    return;
  }
  v1::Event* event = Begin(now);
  ToProto(record, event->mutable_request_rejected()->mutable_record());
  End(*event);
}

void EventEncoder::OnIteration(SimTime now, const IterationEvent& iteration) {
  if (!NextOfWorker(v1::EVENT_KIND_ITERATION, now, iteration.worker)) return;
  v1::Event* event = Begin(now);
  v1::Iteration* body = event->mutable_iteration();
  body->set_worker(iteration.worker);
  body->set_index(iteration.index);
  body->set_duration_ns(iteration.duration);
  body->set_prefill_tokens(static_cast<int32_t>(iteration.prefill_tokens));
  body->set_prefill_chunks(iteration.prefill_chunks);
  body->set_decode_tokens(iteration.decode_tokens);
  body->set_kv_blocks_used(iteration.kv_blocks_used);
  body->set_running(iteration.running);
  body->set_waiting(iteration.waiting);
  End(*event);
}

void EventEncoder::OnSnapshot(SimTime now, std::span<const WorkerSnapshot> workers,
                              int64_t pool_bytes) {
  if (!Next() || !filter_.Passes(v1::EVENT_KIND_MEMORY_SNAPSHOT, now)) return;
  v1::Event* event = Begin(now);
  v1::MemorySnapshot* body = event->mutable_memory_snapshot();
  for (size_t i = 0; i < workers.size(); ++i) {
    v1::WorkerMemory* memory = body->add_workers();
    memory->set_worker(static_cast<int32_t>(i));
    memory->set_kv_blocks_used(workers[i].kv_blocks_used);
    memory->set_kv_blocks_total(workers[i].kv_blocks_total);
    memory->set_running(workers[i].running);
    memory->set_waiting(workers[i].waiting);
    memory->set_host_bytes_used(Bytes(workers[i].host_blocks_used, i));
    memory->set_host_bytes_total(Bytes(workers[i].host_blocks_total, i));
    memory->set_cached_blocks(workers[i].cached_blocks);
    memory->set_loading(workers[i].loading);
    memory->set_held(workers[i].held);
  }
  body->set_pool_bytes_used(pool_bytes);
  End(*event);
}

void EventEncoder::OnSwapped(SimTime now, const SwapEvent& swap) {
  if (!NextOfRequest(v1::EVENT_KIND_REQUEST_SWAPPED, now, swap.worker, swap.request_id)) return;
  v1::Event* event = Begin(now);
  v1::RequestSwapped* body = event->mutable_request_swapped();
  body->set_request_id(swap.request_id);
  body->set_worker(swap.worker);
  body->set_out(swap.out);
  body->set_bytes(Bytes(swap.blocks, static_cast<size_t>(swap.worker)));
  body->set_generated_tokens(swap.generated_tokens);
  End(*event);
}

void EventEncoder::OnTransferred(SimTime now, const TransferEvent& transfer) {
  if (!NextOfMove(v1::EVENT_KIND_KV_TRANSFERRED, now, transfer.from, transfer.to,
                  transfer.request_id)) {
    return;
  }
  v1::Event* event = Begin(now);
  v1::KvTransferred* body = event->mutable_kv_transferred();
  body->set_request_id(transfer.request_id);
  body->set_from_worker(transfer.from);
  body->set_to_worker(transfer.to);
  body->set_start_time_ns(transfer.start);
  body->set_bytes(transfer.bytes);
  body->set_tokens(transfer.tokens);
  End(*event);
}

void EventEncoder::OnDispatched(SimTime now, int64_t request_id, int32_t from, int32_t to,
                                DispatchReason reason) {
  if (!NextOfMove(v1::EVENT_KIND_REQUEST_DISPATCHED, now, from, to, request_id)) return;
  v1::Event* event = Begin(now);
  v1::RequestDispatched* body = event->mutable_request_dispatched();
  body->set_request_id(request_id);
  body->set_from_worker(from);
  body->set_to_worker(to);
  body->set_reason(ToProto(reason));
  End(*event);
}

void EventEncoder::OnWorkerChanged(SimTime now, int32_t worker, WorkerStatus status) {
  if (!NextOfWorker(v1::EVENT_KIND_WORKER_CHANGED, now, worker)) return;
  v1::Event* event = Begin(now);
  v1::WorkerChanged* body = event->mutable_worker_changed();
  body->set_worker(worker);
  body->set_state(ToProto(status));
  End(*event);
}

void EventEncoder::OnOperator(SimTime now, const OperatorEvent& operation) {
  if (!NextOfWorker(v1::EVENT_KIND_OPERATOR_LOG, now, operation.worker)) return;
  v1::Event* event = Begin(now);
  v1::OperatorLog* body = event->mutable_operator_log();
  body->set_worker(operation.worker);
  body->set_operator_name(std::string(operation.name));
  body->set_layer(operation.layer);
  body->set_start_time_ns(operation.start);
  body->set_duration_ns(operation.duration);
  End(*event);
}

void EventEncoder::OnEnded(SimTime now, EndReason reason, int64_t finished, int64_t rejected,
                           int64_t unfinished) {
  if (!Next()) return;
  v1::Event* event = Begin(now);
  v1::SimulationEnded* body = event->mutable_simulation_ended();
  body->set_reason(ToProto(reason));
  body->set_finished(finished);
  body->set_rejected(rejected);
  body->set_unfinished(unfinished);
  End(*event);
  encoded_end_ = true;
}

}  // namespace tokensim
