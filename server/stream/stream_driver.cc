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
    : DrivenStream(clock, std::move(sink)),
      options_(options),
      executor_(executor),
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
  if (!executor_.Post([self = shared_from_this()] { self->Work(); })) End(Draining());
}

void StreamDriver::Work() {
  if (const auto note = Note()) return End(*note);
  Step step;
  absl::Status failed;
  try {
    failed = OpenReader();
    if (failed.ok()) step = Advance();
  } catch (...) {
    failed = CaughtError();  // memory that is not there ends this stream only
  }
  if (!failed.ok()) return End(failed);
  if (step.send) return Send(step.last, step.status);
  if (step.last) return End(step.status);
  Post();
}

absl::Status StreamDriver::OpenReader() {
  if (reader_ != nullptr) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<ReplayReader>> reader = open_();
  open_ = nullptr;
  if (!reader.ok()) return reader.status();
  reader_ = *std::move(reader);
  return absl::OkStatus();
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
  Write(*batch_);
}

void StreamDriver::AfterWrite() {
  if (last_sent_) return End(last_status_);
  last_write_ = clock_.Steady();
  NewBatch();
  Post();
}

}  // namespace tokensim
