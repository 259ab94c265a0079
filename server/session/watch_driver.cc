#include "server/session/watch_driver.h"

#include <utility>

#include "server/base/error.h"

namespace tokensim {

WatchDriver::WatchDriver(SimulationName name, SessionManager& manager, Executor& executor,
                         const Clock& clock, std::shared_ptr<StreamSink<v1::Simulation>> sink)
    : DrivenStream(clock, std::move(sink)),
      name_(std::move(name)),
      manager_(manager),
      executor_(executor) {}

void WatchDriver::Start() {
  // Before the first look, so that nothing is missed.
  handle_ = manager_.Watch(name_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Changed();
  });
  PostLook();
}

void WatchDriver::Changed() {
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kIdle) {
      changed_ = true;
      return;
    }
    state_ = State::kWorking;
  }
  Look();
}

void WatchDriver::PostLook() {
  if (!executor_.Post([self = shared_from_this()] { self->Look(); })) End(Draining());
}

void WatchDriver::Look() {
  {
    const std::lock_guard lock(mutex_);
    changed_ = false;
  }
  if (const auto note = Note()) return End(*note);
  if (absl::Status failed = Take(); !failed.ok()) return End(failed);
  last_ = IsTerminal(simulation_.state());
  Write(simulation_);
}

absl::Status WatchDriver::Take() {
  try {
    // State and progress: what is large does not change.
    absl::StatusOr<v1::Simulation> simulation = manager_.Get(name_, ResourceView::kBasic);
    if (!simulation.ok()) return simulation.status();
    simulation_ = *std::move(simulation);
    return absl::OkStatus();
  } catch (...) {
    return CaughtError();
  }
}

void WatchDriver::AfterWrite() {
  if (last_) return End(absl::OkStatus());
  {
    const std::lock_guard lock(mutex_);
    if (!changed_ && !note_) {
      state_ = State::kIdle;
      return;
    }
  }
  PostLook();
}

}  // namespace tokensim
