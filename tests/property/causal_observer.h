// Checks the stream of events of any run, event by event.
//
//   CausalObserver observer(*plan);
//   const Results results = RunEngine(plan, &observer);
//   observer.ExpectComplete(results);
//
// Time never goes back; every request is somewhere, does one thing after the other, gets each of
// its tokens once, and ends once; a KV cache is used only after it has come; nobody holds what the
// memory does not have.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "engine/run/observer.h"
#include "engine/run/plan.h"
#include "engine/run/results.h"

namespace tokensim {

class CausalObserver : public Observer {
 public:
  explicit CausalObserver(const Plan& plan);

  void OnEvent(SimTime now, const Event& event) override {
    std::visit([&](const auto& e) { On(now, e); }, event);
  }

  // After the run: every request ended, as the records say, and the run's totals are those of the
  // events.
  void ExpectComplete(const Results& results) const;

  // What happened, for tests that want to know whether anything did.
  int64_t transfers = 0;
  int64_t fetches = 0;
  int64_t swaps_out = 0;
  int64_t migrations = 0;
  int64_t lost_workers = 0;  // requests that went on after a failure

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
  void On(SimTime now, const OperatorEvent& /*e*/) { Tick(now); }

  struct Story {
    int32_t worker = -1;
    int32_t input = 0;
    bool present = false;  // at that worker
    bool running = false;
    int ends = 0;
    int scheduled = 0;
    int preempted = 0;
    SimTime arrival = kUnset;
    SimTime first_scheduled = kUnset;
    SimTime scheduled_at = kUnset;
    SimTime first_token = kUnset;
    int32_t comes_from = -1;       // worker that has its KV cache; -1: none is to come
    bool may_begin_again = false;  // without it
    SimTime moved = kUnset;        // when the last one arrived
    int64_t in_host = 0;           // blocks
    std::vector<SimTime> tokens;
  };

  void Tick(SimTime now);
  Story& At(SimTime now, int64_t id, int32_t worker);
  void Leave(Story* story);
  void Enter(Story* story, int32_t worker, SimTime now);
  void Forget(Story* story);
  void ExpectRecord(const RequestRecord& record, const Story& story) const;

  const Plan& plan_;
  bool moves_caches_ = false;           // else a worker with requests always runs,
  std::vector<bool> waits_;             // unless it waits until a batch is full
  std::vector<int64_t> present_;        // requests of each worker
  std::vector<SimTime> present_since_;  // since when there are any
  std::vector<SimTime> busy_until_;     // end of the last iteration
  // By the first rank: end of the last iteration of ranks in lock-step, and of the one before.
  struct Lockstep {
    SimTime until = 0;
    SimTime before = 0;
  };
  std::vector<Lockstep> lockstep_;
  struct Pause {
    SimTime from = 0;
    SimTime until = kNever;
  };
  std::vector<std::vector<Pause>> pauses_;  // of each worker, when it may begin nothing
  std::vector<int64_t> outgoing_;           // KV caches that shall leave each worker
  std::map<int64_t, Story> stories_;
  std::vector<RequestRecord> ended_;
  SimTime last_ = 0;
  int64_t iterations_ = 0;
  int64_t tokens_in_order_of_ = -1;  // request whose tokens just came
  bool over_ = false;
};

}  // namespace tokensim
