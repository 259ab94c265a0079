// Requests that wait for others to end: conversations and closed loops.
//
// Every session has at most one request in the system. What comes next is in a heap ordered by
// (time, order of creation): the next session to begin, users of a closed loop who think, and later
// turns of open conversations. Memory grows with the open sessions only.
//
// A session is drawn when it may be the next to begin. Sessions begin in the order in which they
// are drawn, whoever begins them: the k-th has the same requests whatever the server does.
//
//   SessionSource source(workload, seed);
//   source.Pop();                           // the request peeked at is in the system
//   source.OnEnded(tag, now);               // Peek may show an earlier request now
//
// Internal to engine/workload.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/workload/arrival_times.h"
#include "engine/workload/durations.h"
#include "engine/workload/sessions.h"
#include "engine/workload/workload.h"

namespace tokensim {

class SessionSource final : public RequestSource {
 public:
  SessionSource(const Workload& workload, uint64_t seed);

  void Pop() override;
  [[nodiscard]] bool reactive() const override { return true; }
  void OnEnded(int64_t source_tag, SimTime now) override;
  void OnRejected(int64_t source_tag, SimTime now) override;

 private:
  struct Pending {
    SimTime time = 0;
    int64_t order = 0;
    int64_t what = 0;  // index in sessions_, or one of the below
  };
  static constexpr int64_t kNextArrival = -1;  // a session begins by the arrival process
  static constexpr int64_t kNextOfUser = -2;   // a user begins another one

  void Push(SimTime time, int64_t what);
  void PushNextArrival();
  // The session that a tag stands for; its turn is over.
  Session& Ended(int64_t source_tag);
  void Close(int64_t source_tag, SimTime now);
  void Stage();
  void ShowNext();

  int64_t requests_left_;  // that may still come
  SimTime last_;           // arrival
  int64_t arrivals_left_;  // of the arrival process: users of a closed loop
  std::unique_ptr<SessionMaker> maker_;
  ArrivalTimes times_;
  int64_t sessions_left_;                      // to be put into the heap
  std::optional<DurationSampler> user_think_;  // of a closed loop
  std::vector<Pending> heap_;
  std::vector<Session> sessions_;
  std::vector<int64_t> free_;  // sessions that are closed
  int64_t staged_ = -1;        // drawn and not begun; -1: none
  int64_t order_ = 0;
};

}  // namespace tokensim
