#include "server/stream/stream_driver.h"

#include <string>
#include <utility>

#include "server/base/error.h"

namespace tokensim {
namespace {

google::protobuf::ArenaOptions BatchArena() {
  google::protobuf::ArenaOptions options;
  options.start_block_size = 16 * 1024;
  options.max_block_size = 64 * 1024;
  return options;
}

// The error of a reader as one of the API.
absl::Status ReaderError(const ReplayReader& reader) {
  if (reader.status().code() != absl::StatusCode::kOutOfRange) return reader.status();
  return MakeError(absl::StatusCode::kOutOfRange, reason::kCursorOutOfRange,
                   std::string(reader.status().message()),
                   {{"last_sequence", std::to_string(reader.last_sequence())}});
}

}  // namespace

StreamDriver::StreamDriver(Open open, StreamOptions options, Executor& executor, const Clock& clock,
                           std::shared_ptr<StreamSink<v1::EventBatch>> sink)
    : options_(options),
      executor_(executor),
      clock_(clock),
      sink_(std::move(sink)),
      open_(std::move(open)),
      arena_(BatchArena()) {}

void StreamDriver::Start() {
  last_write_ = clock_.Steady();
  NewBatch();
  Post();
}

void StreamDriver::NewBatch() {
  arena_.Reset();
  batch_ = google::protobuf::Arena::CreateMessage<v1::EventBatch>(&arena_);
}

void StreamDriver::Post() {
  if (!executor_.Post([self = shared_from_this()] { self->Work(); })) Finish(Draining());
}

void StreamDriver::Work() {
  if (const auto note = Note()) return Finish(*note);
  if (reader_ == nullptr) {
    absl::StatusOr<std::unique_ptr<ReplayReader>> reader = open_();
    open_ = nullptr;
    if (!reader.ok()) return Finish(reader.status());
    reader_ = *std::move(reader);
  }
  const Step step = Advance();
  if (step.send) return Send(step.last, step.status);
  if (step.last) return Finish(step.status);
  Post();
}

StreamDriver::Step StreamDriver::Advance() {
  using Outcome = ReplayReader::Outcome;
  const Outcome outcome = batch_->events_size() == 0
                              ? reader_->Read(options_.slice_engine_events, batch_)
                              : reader_->ReadMore(options_.slice_engine_events, batch_);
  const bool empty = batch_->events_size() == 0;
  switch (outcome) {
    case Outcome::kBatch:
      return {true, false, absl::OkStatus()};
    case Outcome::kEnd:
      return {true, true, absl::OkStatus()};
    case Outcome::kFailed:
      return {!empty, true, ReaderError(*reader_)};
    case Outcome::kYield:
      break;
  }
  const auto waited = clock_.Steady() - last_write_;
  return {waited >= (empty ? options_.heartbeat : options_.max_batch_delay), false,
          absl::OkStatus()};
}

void StreamDriver::Send(bool last, const absl::Status& status) {
  last_sent_ = last;
  last_status_ = status;
  *batch_->mutable_server_time() = ToTimestamp(clock_.Now());
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kWriting;
    write_begun_ = clock_.Steady();
  }
  sink_->Write(*batch_);  // the state is the sink's now
}

void StreamDriver::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kWorking;
  }
  if (const auto note = Note()) return Finish(*note);
  if (!ok)
    return Finish(
        MakeError(absl::StatusCode::kCancelled, reason::kCancelled, "the connection was lost"));
  if (last_sent_) return Finish(last_status_);
  last_write_ = clock_.Steady();
  NewBatch();
  Post();
}

void StreamDriver::Abort(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  if (!note_) note_ = status;
}

bool StreamDriver::AbortIfStalled(SteadyTime before) {
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

void StreamDriver::Finish(const absl::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kDone;
  }
  reader_ = nullptr;
  sink_->End(status);
}

std::optional<absl::Status> StreamDriver::Note() {
  const std::lock_guard lock(mutex_);
  return note_;
}

}  // namespace tokensim
