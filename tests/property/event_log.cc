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

void EventLog::On(SimTime now, const ArrivedEvent& e) {
  Add(now, "arrived", {e.request_id, e.worker, e.input_tokens});
}
void EventLog::On(SimTime now, const ScheduledEvent& e) {
  Add(now, "scheduled", {e.request_id, e.worker});
}
void EventLog::On(SimTime now, const FirstTokenEvent& e) {
  Add(now, "first token", {e.request_id, e.worker});
}
void EventLog::On(SimTime now, const TokensEvent& span) {
  Add(now, "tokens",
      {span.request_id, span.worker, span.first_token_index,
       static_cast<int64_t>(span.times.size()), span.times.front(), span.times.back()});
  std::vector<SimTime>& tokens = tokens_[span.request_id];
  tokens.insert(tokens.end(), span.times.begin(), span.times.end());
}
void EventLog::On(SimTime now, const PreemptedEvent& e) {
  Add(now, "preempted", {e.request_id, e.worker, e.generated_tokens});
}
void EventLog::On(SimTime now, const FinishedEvent& e) {
  Add(now, "finished", {e.record.request_id, e.record.worker, e.record.cached_tokens});
}
void EventLog::On(SimTime now, const RejectedEvent& e) {
  Add(now, "rejected", {e.record.request_id, e.record.worker});
}
void EventLog::On(SimTime now, const IterationEvent& iteration) {
  Add(now, "iteration",
      {iteration.worker, iteration.index, iteration.duration, iteration.prefill_tokens,
       iteration.prefill_chunks, iteration.decode_tokens, iteration.kv_blocks_used,
       iteration.running, iteration.waiting});
}
void EventLog::On(SimTime now, const SnapshotEvent& e) {
  Add(now, "snapshot", {e.pool_bytes});
  for (const WorkerSnapshot& worker : e.workers) {
    Add(now, " of",
        {worker.kv_blocks_used, worker.running, worker.waiting, worker.host_blocks_used,
         worker.cached_blocks, worker.loading, worker.held});
  }
}
void EventLog::On(SimTime now, const SwappedEvent& swap) {
  Add(now, "swapped", {swap.request_id, swap.worker, swap.out, swap.blocks, swap.generated_tokens});
}
void EventLog::On(SimTime now, const TransferredEvent& transfer) {
  Add(now, "transferred",
      {transfer.request_id, transfer.from, transfer.to, transfer.start, transfer.bytes,
       transfer.tokens});
}
void EventLog::On(SimTime now, const DispatchedEvent& e) {
  Add(now, "dispatched", {e.request_id, e.from, e.to, static_cast<int64_t>(e.reason)});
}
void EventLog::On(SimTime now, const WorkerChangedEvent& e) {
  Add(now, "worker", {e.worker, static_cast<int64_t>(e.status)});
}
void EventLog::On(SimTime now, const EndedEvent& e) {
  Add(now, "ended", {static_cast<int64_t>(e.reason), e.finished, e.rejected, e.unfinished});
}

}  // namespace tokensim
