// What the sessions tell to whoever counts. Thread-safe implementations; calls are short.
#pragma once

#include <chrono>
#include <cstdint>

#include "server/store/store.h"

namespace tokensim {

class SessionMetrics {
 public:
  virtual ~SessionMetrics() = default;
  virtual void OnAccepted() {}
  // A run began, after this wait in the queue.
  virtual void OnStarted(std::chrono::nanoseconds /*queued*/) {}
  // One slice of a run: its wall time, engine events and simulated seconds.
  virtual void OnSlice(std::chrono::nanoseconds /*wall*/, int64_t /*events*/,
                       double /*simulated_seconds*/) {}
  virtual void OnFinished(SimulationState /*state*/) {}
  // A run ended, in whatever state.
  virtual void OnRun(std::chrono::nanoseconds /*wall*/) {}
};

}  // namespace tokensim
