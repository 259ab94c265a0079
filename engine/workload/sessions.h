// Sessions: what one client sends, one request after the other.
//
// A session is a conversation, or a single request of a closed loop. All of it is drawn when it
// begins, so that it does not depend on how fast the server is:
//
//   turn 0   input 100                    output 50
//   turn 1   input 100 + 50 + 30 = 180    output 20    comes `wait` after turn 0 has ended
//
//   auto maker = MakeSessionMaker(workload, seed);
//   Session session;
//   maker->Make(&session);
//
// Internal to engine/workload.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/base/time.h"
#include "engine/workload/workload.h"

namespace tokensim {

struct Turn {
  int32_t input = 1;  // the whole prompt: shared prefix and history included
  int32_t output = 1;
  SimTime wait = 0;  // after the end of the turn before
};

struct Session {
  int32_t client_class = 0;
  int64_t conversation = -1;
  PromptContent content;
  std::vector<Turn> turns;  // not empty
  size_t turn = 0;          // the next one, or the one in the system
  bool waiting = false;     // for its turn to end
};

class SessionMaker {
 public:
  virtual ~SessionMaker() = default;
  // Draws the next session. Keeps the memory of *session.
  virtual void Make(Session* session) = 0;
  // Most sessions of a run of so many requests. A trace's conversations begin again only when more
  // requests than rows are asked for.
  [[nodiscard]] virtual int64_t MostSessions(int64_t num_requests) const { return num_requests; }
  // Of a trace's conversations: the rows that begin one or belong to none. They arrive by the
  // process, all others after the turn before them. Empty: this is no trace's.
  [[nodiscard]] virtual std::span<const int64_t> first_rows() const { return {}; }
};
[[nodiscard]] std::unique_ptr<SessionMaker> MakeSessionMaker(const Workload& workload,
                                                             uint64_t seed);

}  // namespace tokensim
