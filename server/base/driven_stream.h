// What the drivers of all streams have in common: one message is written at a time, and the stream
// ends once.
//
//   kIdle     nobody works: whoever has something to do takes the state
//   kWorking  a task is posted or runs; it alone decides what comes next
//   kWriting  the sink holds the message; OnWriteDone decides what comes next
//   kDone     the sink's End was called
//
// Whoever aborts only leaves a note, which the owner of the state reads; of an idle stream he becomes
// the owner. So End is called exactly once, whatever races.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "server/base/clock.h"
#include "server/base/stream.h"

namespace tokensim {

template <typename Message>
class DrivenStream : public OpenStream {
 public:
  DrivenStream(const Clock& clock, std::shared_ptr<StreamSink<Message>> sink)
      : clock_(clock), sink_(std::move(sink)) {}

  void OnWriteDone(bool ok) final {
    {
      const std::lock_guard lock(mutex_);
      state_ = State::kWorking;
    }
    if (const auto note = Note()) return End(*note);
    if (!ok) return End(ConnectionLost());
    AfterWrite();
  }

  void Abort(const absl::Status& status) final {
    {
      const std::lock_guard lock(mutex_);
      if (!note_) note_ = status;
      if (state_ != State::kIdle) return;  // its owner reads the note
      state_ = State::kWorking;
    }
    End(status);
  }

  bool AbortIfStalled(SteadyTime before) final {
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

 protected:
  enum class State { kIdle, kWorking, kWriting, kDone };

  // The message was taken and nobody aborted: decides what comes next.
  virtual void AfterWrite() = 0;
  // Gives up what the stream is made from; before the sink's End.
  virtual void Release() = 0;

  // From here on the state is the sink's.
  void Write(const Message& message) {
    {
      const std::lock_guard lock(mutex_);
      state_ = State::kWriting;
      write_begun_ = clock_.Steady();
    }
    sink_->Write(message);
  }

  void End(const absl::Status& status) {
    {
      const std::lock_guard lock(mutex_);
      state_ = State::kDone;
    }
    Release();
    sink_->End(status);
  }

  // The note left by Abort.
  std::optional<absl::Status> Note() {
    const std::lock_guard lock(mutex_);
    return note_;
  }

  const Clock& clock_;
  std::mutex mutex_;
  State state_ = State::kWorking;     // guarded by mutex_
  std::optional<absl::Status> note_;  // guarded by mutex_

 private:
  const std::shared_ptr<StreamSink<Message>> sink_;
  SteadyTime write_begun_{};  // guarded by mutex_
};

}  // namespace tokensim
