// Sends a simulation to a subscriber each time it changes.
//
// The state machine of a watch, free of gRPC: the simulation now, then after each notification as
// it is then; changes that come during a write become one message. Ends after a terminal state.
// It is idle while it waits for a notification (server/base/driven_stream.h).
#pragma once

#include <memory>

#include "server/base/driven_stream.h"
#include "server/session/session_manager.h"

namespace tokensim {

class WatchDriver final : public DrivenStream<v1::Simulation>,
                          public std::enable_shared_from_this<WatchDriver> {
 public:
  WatchDriver(SimulationName name, SessionManager& manager, Executor& executor, const Clock& clock,
              std::shared_ptr<StreamSink<v1::Simulation>> sink);

  void Start() override;

 private:
  void AfterWrite() override;
  void Release() override { handle_.reset(); }

  void Changed();
  void PostLook();
  void Look();
  // Sets simulation_.
  absl::Status Take();

  const SimulationName name_;
  SessionManager& manager_;
  Executor& executor_;

  // Of the owner of the state.
  Watchers::Handle handle_;
  v1::Simulation simulation_;
  bool last_ = false;

  bool changed_ = false;  // since the last look; guarded by mutex_
};

}  // namespace tokensim
