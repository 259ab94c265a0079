// Writes every event of a run down as text, to compare runs event by event.
//
//   EventLog log;
//   RunEngine(plan, &log);
//   EXPECT_EQ(log.Before(t), other.Before(t));
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/run/observer.h"

namespace tokensim {

class EventLog : public Observer {
 public:
  void OnArrived(SimTime now, int64_t id, int32_t worker, int32_t input_tokens) override;
  void OnScheduled(SimTime now, int64_t id, int32_t worker) override;
  void OnFirstToken(SimTime now, int64_t id, int32_t worker) override;
  void OnTokens(SimTime now, const TokenSpan& span) override;
  void OnPreempted(SimTime now, int64_t id, int32_t worker, int32_t generated_tokens) override;
  void OnFinished(SimTime now, const RequestRecord& record) override;
  void OnRejected(SimTime now, const RequestRecord& record) override;
  void OnIteration(SimTime now, const IterationEvent& iteration) override;
  void OnSnapshot(SimTime now, std::span<const WorkerSnapshot> workers,
                  int64_t pool_bytes) override;
  void OnSwapped(SimTime now, const SwapEvent& swap) override;
  void OnTransferred(SimTime now, const TransferEvent& transfer) override;
  void OnDispatched(SimTime now, int64_t id, int32_t from, int32_t to,
                    DispatchReason reason) override;
  void OnWorkerChanged(SimTime now, int32_t worker, WorkerStatus status) override;
  void OnEnded(SimTime now, EndReason reason, int64_t finished, int64_t rejected,
               int64_t unfinished) override;

  // The events before `time`, in order.
  [[nodiscard]] std::span<const std::string> Before(SimTime time) const;
  // Of each token of a request.
  [[nodiscard]] const std::vector<SimTime>& tokens(int64_t id) const { return tokens_.at(id); }

 private:
  void Add(SimTime now, std::string_view what, std::initializer_list<int64_t> figures);

  std::vector<SimTime> times_;
  std::vector<std::string> events_;
  std::map<int64_t, std::vector<SimTime>> tokens_;
};

}  // namespace tokensim
