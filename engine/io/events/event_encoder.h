// Numbers the events of a run and encodes those that are wanted.
//
// An event that the cursor or the filter skips costs a comparison or two; nothing is made for it.
// Events go to the current batch until it is full; the rest of the engine step that filled it goes
// to an overflow, which begins the next batch.
#pragma once

#include <vector>

#include "engine/io/events/event_filter.h"
#include "engine/io/events/replay_reader.h"
#include "engine/run/observer.h"
#include "engine/run/plan.h"

namespace tokensim {

class EventEncoder final : public Observer {
 public:
  EventEncoder(const ReplayOptions& options, const Plan& plan);

  // Directs events to `batch`, beginning with the overflow. Until Detach.
  void Attach(v1::EventBatch* batch, bool clear);
  // Sets covered_through.
  void Detach();

  [[nodiscard]] bool full() const { return bytes_ >= max_bytes_; }
  [[nodiscard]] bool has_overflow() const { return overflow_next_ < overflow_.events_size(); }
  // Nothing that comes later is wanted.
  [[nodiscard]] bool reached_until() const { return sequence_ >= until_; }
  [[nodiscard]] int64_t sequence() const { return sequence_; }
  [[nodiscard]] bool encoded_end() const { return encoded_end_; }

  void OnArrived(SimTime now, int64_t request_id, int32_t worker, int32_t input_tokens) override;
  void OnScheduled(SimTime now, int64_t request_id, int32_t worker) override;
  void OnFirstToken(SimTime now, int64_t request_id, int32_t worker) override;
  void OnTokens(SimTime now, const TokenSpan& tokens) override;
  void OnPreempted(SimTime now, int64_t request_id, int32_t worker,
                   int32_t generated_tokens) override;
  void OnFinished(SimTime now, const RequestRecord& record) override;
  void OnRejected(SimTime now, const RequestRecord& record) override;
  void OnIteration(SimTime now, const IterationEvent& iteration) override;
  void OnSnapshot(SimTime now, std::span<const WorkerSnapshot> workers,
                  int64_t pool_bytes) override;
  void OnSwapped(SimTime now, const SwapEvent& swap) override;
  void OnTransferred(SimTime now, const TransferEvent& transfer) override;
  void OnDispatched(SimTime now, int64_t request_id, int32_t from, int32_t to,
                    DispatchReason reason) override;
  void OnWorkerChanged(SimTime now, int32_t worker, WorkerStatus status) override;
  void OnOperator(SimTime now, const OperatorEvent& operation) override;
  void OnEnded(SimTime now, EndReason reason, int64_t finished, int64_t rejected,
               int64_t unfinished) override;

 private:
  // Takes the next number. True when the cursor lets the event pass.
  bool Next() { return ++sequence_ > after_ && sequence_ <= until_; }
  bool NextOfRequest(v1::EventKind kind, SimTime now, int32_t worker, int64_t request_id) {
    return Next() && filter_.Passes(kind, now) && filter_.PassesWorker(worker) &&
           filter_.PassesRequest(request_id);
  }
  // An event between two workers passes for either.
  bool NextOfMove(v1::EventKind kind, SimTime now, int32_t from, int32_t to, int64_t request_id) {
    return Next() && filter_.Passes(kind, now) &&
           (filter_.PassesWorker(from) || filter_.PassesWorker(to)) &&
           filter_.PassesRequest(request_id);
  }
  bool NextOfWorker(v1::EventKind kind, SimTime now, int32_t worker) {
    return Next() && filter_.Passes(kind, now) && filter_.PassesWorker(worker);
  }
  [[nodiscard]] int64_t Bytes(int64_t blocks, size_t worker) const {
    return blocks * kv_bytes_per_block_[worker];
  }
  v1::Event* Begin(SimTime now);
  void End(const v1::Event& event);
  void Count(const v1::Event& event);

  const CompiledEventFilter filter_;
  const int64_t after_;
  const int64_t until_;
  const int64_t max_bytes_;
  std::vector<int64_t> kv_bytes_per_block_;  // by worker
  int64_t sequence_ = 0;
  bool encoded_end_ = false;

  v1::EventBatch* batch_ = nullptr;
  int64_t bytes_ = 0;  // of the events in batch_
  v1::EventBatch overflow_;
  int overflow_next_ = 0;
};

}  // namespace tokensim
