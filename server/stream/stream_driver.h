// Moves the batches of a replay to a subscriber, one at a time.
//
// The state machine of an event stream, free of gRPC. The engine advances only after the last batch
// was taken, so a reader that does not read costs nothing but one batch. Work runs on an executor
// in slices; the sink's methods are called from there or from the caller of OnWriteDone. It is never
// idle (server/base/driven_stream.h).
#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/io/events/replay_reader.h"
#include "google/protobuf/arena.h"
#include "server/base/driven_stream.h"
#include "server/base/executor.h"

namespace tokensim {

struct StreamOptions {
  std::chrono::nanoseconds max_batch_delay = std::chrono::milliseconds(50);
  // An empty batch is sent when there was nothing to send for this long.
  std::chrono::nanoseconds heartbeat = std::chrono::seconds(1);
  int64_t slice_engine_events = 10'000;
};

class StreamDriver final : public DrivenStream<v1::EventBatch>,
                           public std::enable_shared_from_this<StreamDriver> {
 public:
  // Makes the replay; called on the executor.
  using Open = std::function<absl::StatusOr<std::unique_ptr<ReplayReader>>()>;

  StreamDriver(Open open, StreamOptions options, Executor& executor, const Clock& clock,
               std::shared_ptr<StreamSink<v1::EventBatch>> sink);

  void Start() override;

 private:
  void AfterWrite() override;
  void Release() override { reader_ = nullptr; }

  void Post();
  void Work();
  // What a slice of the replay leads to.
  struct Step {
    bool send = false;
    bool last = false;  // nothing follows the batch; the stream ends with `status`
    absl::Status status;
  };
  Step Advance();
  // At the first slice.
  absl::Status OpenReader();
  void NewBatch();
  void Send(bool last, const absl::Status& status);

  const StreamOptions options_;
  Executor& executor_;

  // Of the owner of the state.
  Open open_;
  std::unique_ptr<ReplayReader> reader_;
  google::protobuf::Arena arena_;
  v1::EventBatch* batch_ = nullptr;  // on arena_
  bool last_sent_ = false;
  absl::Status last_status_;
  SteadyTime last_write_{};
};

}  // namespace tokensim
