// Whoever watches a run.
//
// It is told of every event (event.h) in order of time. A run without an observer makes no events
// and pays nothing for them; a replay of the same plan with an observer makes the same decisions.
// The report does not come from here but from the run's Results.
#pragma once

#include "engine/base/time.h"
#include "engine/run/event.h"

namespace tokensim {

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnEvent(SimTime now, const Event& event) = 0;
};

}  // namespace tokensim
