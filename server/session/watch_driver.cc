#include "server/session/watch_driver.h"

#include <utility>

#include "server/base/error.h"

namespace tokensim {

WatchDriver::WatchDriver(SimulationName name, SessionManager& manager, Executor& executor,
                         const Clock& clock, std::shared_ptr<StreamSink<v1::Simulation>> sink)
    : name_(std::move(name)),
      manager_(manager),
      executor_(executor),
      clock_(clock),
      sink_(std::move(sink)) {}

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
    state_ = State::kLooking;
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
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kWriting;
    write_begun_ = clock_.Steady();
  }
  sink_->Write(simulation_);  // the state is the sink's now
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

void WatchDriver::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kLooking;
  }
  if (const auto note = Note()) return End(*note);
  if (!ok)
    return End(
        MakeError(absl::StatusCode::kCancelled, reason::kCancelled, "the connection was lost"));
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

void WatchDriver::Abort(const absl::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    if (!note_) note_ = status;
    if (state_ != State::kIdle) return;  // its owner reads the note
    state_ = State::kLooking;
  }
  End(status);
}

bool WatchDriver::AbortIfStalled(SteadyTime before) {
  absl::Status status;
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kWriting || write_begun_ >= before) return false;
    write_begun_ = SteadyTime::max();  // once is enough
    if (!note_) note_ = StreamStalled();
    status = *note_;
  }
  sink_->BreakWrite(status);
  return true;
}

void WatchDriver::End(const absl::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kDone;
  }
  handle_.reset();
  sink_->End(status);
}

std::optional<absl::Status> WatchDriver::Note() {
  const std::lock_guard lock(mutex_);
  return note_;
}

}  // namespace tokensim
