// Sends a simulation to a subscriber each time it changes.
//
// The state machine of a watch, free of gRPC: the simulation now, then after each notification as
// it is then; changes that come during a write become one message. Ends after a terminal state.
//
//   kIdle     waits for a notification, or for Abort
//   kLooking  a task looks at the simulation; it decides what comes next
//   kWriting  the sink holds the message; OnWriteDone decides what comes next
//   kDone     the sink's End was called
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "server/base/stream.h"
#include "server/session/session_manager.h"

namespace tokensim {

class WatchDriver final : public OpenStream, public std::enable_shared_from_this<WatchDriver> {
 public:
  WatchDriver(SimulationName name, SessionManager& manager, Executor& executor, const Clock& clock,
              std::shared_ptr<StreamSink<v1::Simulation>> sink);

  void Start();
  void OnWriteDone(bool ok) override;
  void Abort(const absl::Status& status) override;
  bool AbortIfStalled(SteadyTime before) override;

 private:
  enum class State { kIdle, kLooking, kWriting, kDone };

  void Changed();
  void PostLook();
  void Look();
  // Sets simulation_.
  absl::Status Take();
  void End(const absl::Status& status);
  std::optional<absl::Status> Note();

  const SimulationName name_;
  SessionManager& manager_;
  Executor& executor_;
  const Clock& clock_;
  const std::shared_ptr<StreamSink<v1::Simulation>> sink_;

  // Of the owner of the state.
  Watchers::Handle handle_;
  v1::Simulation simulation_;
  bool last_ = false;

  std::mutex mutex_;
  State state_ = State::kLooking;     // guarded by mutex_
  bool changed_ = false;              // since the last look; guarded by mutex_
  std::optional<absl::Status> note_;  // left by Abort; guarded by mutex_
  SteadyTime write_begun_{};          // guarded by mutex_
};

}  // namespace tokensim
