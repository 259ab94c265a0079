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
  void OnEvent(SimTime now, const Event& event) override {
    std::visit([&](const auto& e) { On(now, e); }, event);
  }

  // The events before `time`, in order.
  [[nodiscard]] std::span<const std::string> Before(SimTime time) const;
  // Of each token of a request.
  [[nodiscard]] const std::vector<SimTime>& tokens(int64_t id) const { return tokens_.at(id); }

 private:
  void On(SimTime now, const ArrivedEvent& e);
  void On(SimTime now, const ScheduledEvent& e);
  void On(SimTime now, const FirstTokenEvent& e);
  void On(SimTime now, const TokensEvent& tokens);
  void On(SimTime now, const PreemptedEvent& e);
  void On(SimTime now, const FinishedEvent& e);
  void On(SimTime now, const RejectedEvent& e);
  void On(SimTime now, const IterationEvent& iteration);
  void On(SimTime now, const SnapshotEvent& e);
  void On(SimTime now, const SwappedEvent& swap);
  void On(SimTime now, const TransferredEvent& transfer);
  void On(SimTime now, const DispatchedEvent& e);
  void On(SimTime now, const WorkerChangedEvent& e);
  void On(SimTime now, const EndedEvent& e);
  void On(SimTime /*now*/, const OperatorEvent& /*e*/) {}

  void Add(SimTime now, std::string_view what, std::initializer_list<int64_t> figures);

  std::vector<SimTime> times_;
  std::vector<std::string> events_;
  std::map<int64_t, std::vector<SimTime>> tokens_;
};

}  // namespace tokensim
