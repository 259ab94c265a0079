// The two halves of a server stream, free of gRPC.
//
// A StreamSink is where messages go (a reactor; a fake in tests). An OpenStream makes them: it
// writes one message at a time and decides what follows when the sink reports that it was taken.
#pragma once

#include "absl/status/status.h"
#include "server/base/clock.h"

namespace tokensim {

template <typename Message>
class StreamSink {
 public:
  virtual ~StreamSink() = default;
  // Begins to send. `message` stays unchanged until OpenStream::OnWriteDone, which may be called
  // from any thread, also before this returns.
  virtual void Write(const Message& message) = 0;
  // Called once, with no write under way; nothing is called after it.
  virtual void End(const absl::Status& status) = 0;
  // Ends a write that makes no progress: OnWriteDone(false) follows. May come late, after End.
  virtual void BreakWrite(const absl::Status& status) = 0;
};

// Thread-safe; no method blocks.
class OpenStream {
 public:
  virtual ~OpenStream() = default;
  // Once, before anything but Abort.
  virtual void Start() = 0;
  virtual void OnWriteDone(bool ok) = 0;
  // Ends the stream with `status` as soon as no write is under way.
  virtual void Abort(const absl::Status& status) = 0;
  // Breaks off a write that began before `before`. True if there was one.
  virtual bool AbortIfStalled(SteadyTime before) = 0;
};

// UNAVAILABLE STREAM_STALLED.
[[nodiscard]] absl::Status StreamStalled();
// CANCELLED: a write that failed.
[[nodiscard]] absl::Status ConnectionLost();

}  // namespace tokensim
