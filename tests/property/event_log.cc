#include "tests/property/event_log.h"

#include <algorithm>

namespace tokensim {

void EventLog::Add(SimTime now, std::string_view what, std::initializer_list<int64_t> figures) {
  std::string event = std::to_string(now);
  event.append(1, ' ').append(what);
  for (const int64_t figure : figures) event.append(1, ' ').append(std::to_string(figure));
  times_.push_back(now);
  events_.push_back(std::move(event));
}

std::span<const std::string> EventLog::Before(SimTime time) const {
  const auto count = std::lower_bound(times_.begin(), times_.end(), time) - times_.begin();
  return std::span(events_).first(static_cast<size_t>(count));
}

void EventLog::OnArrived(SimTime now, int64_t id, int32_t worker, int32_t input_tokens) {
  Add(now, "arrived", {id, worker, input_tokens});
}
void EventLog::OnScheduled(SimTime now, int64_t id, int32_t worker) {
  Add(now, "scheduled", {id, worker});
}
void EventLog::OnFirstToken(SimTime now, int64_t id, int32_t worker) {
  Add(now, "first token", {id, worker});
}
void EventLog::OnTokens(SimTime now, const TokenSpan& span) {
  Add(now, "tokens",
      {span.request_id, span.worker, span.first_token_index,
       static_cast<int64_t>(span.times.size()), span.times.front(), span.times.back()});
  std::vector<SimTime>& tokens = tokens_[span.request_id];
  tokens.insert(tokens.end(), span.times.begin(), span.times.end());
}
void EventLog::OnPreempted(SimTime now, int64_t id, int32_t worker, int32_t generated_tokens) {
  Add(now, "preempted", {id, worker, generated_tokens});
}
void EventLog::OnFinished(SimTime now, const RequestRecord& record) {
  Add(now, "finished", {record.request_id, record.worker, record.cached_tokens});
}
void EventLog::OnRejected(SimTime now, const RequestRecord& record) {
  Add(now, "rejected", {record.request_id, record.worker});
}
void EventLog::OnIteration(SimTime now, const IterationEvent& iteration) {
  Add(now, "iteration",
      {iteration.worker, iteration.index, iteration.duration, iteration.prefill_tokens,
       iteration.prefill_chunks, iteration.decode_tokens, iteration.kv_blocks_used,
       iteration.running, iteration.waiting});
}
void EventLog::OnSnapshot(SimTime now, std::span<const WorkerSnapshot> workers,
                          int64_t pool_bytes) {
  Add(now, "snapshot", {pool_bytes});
  for (const WorkerSnapshot& worker : workers) {
    Add(now, " of",
        {worker.kv_blocks_used, worker.running, worker.waiting, worker.host_blocks_used,
         worker.cached_blocks, worker.loading, worker.held});
  }
}
void EventLog::OnSwapped(SimTime now, const SwapEvent& swap) {
  Add(now, "swapped", {swap.request_id, swap.worker, swap.out, swap.blocks, swap.generated_tokens});
}
void EventLog::OnTransferred(SimTime now, const TransferEvent& transfer) {
  Add(now, "transferred",
      {transfer.request_id, transfer.from, transfer.to, transfer.start, transfer.bytes,
       transfer.tokens});
}
void EventLog::OnDispatched(SimTime now, int64_t id, int32_t from, int32_t to,
                            DispatchReason reason) {
  Add(now, "dispatched", {id, from, to, static_cast<int64_t>(reason)});
}
void EventLog::OnWorkerChanged(SimTime now, int32_t worker, WorkerStatus status) {
  Add(now, "worker", {worker, static_cast<int64_t>(status)});
}
void EventLog::OnEnded(SimTime now, EndReason reason, int64_t finished, int64_t rejected,
                       int64_t unfinished) {
  Add(now, "ended", {static_cast<int64_t>(reason), finished, rejected, unfinished});
}

}  // namespace tokensim
