// The event stream of a simulation, made by replaying it.
//
// A reader owns an engine instance and advances it only when asked for more, so a slow subscriber
// costs nothing but its own memory, and nobody else's time. Resuming fast-forwards a fresh engine
// to the cursor. Free of gRPC; used by the server and by `tokensim run --local --events`.
//
//   ReplayReader reader(plan, options);
//   v1::EventBatch batch;
//   do {
//     outcome = reader.Read(kSlice, &batch);
//     Send(batch);
//   } while (outcome == kBatch || outcome == kYield);
//
// Thread-safety: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "engine/run/plan.h"
#include "tokensim/v1/events.pb.h"

namespace tokensim {

struct ReplayOptions {
  int64_t after_sequence = 0;
  int64_t until_sequence = 0;  // last one wanted; 0: to the end
  v1::EventFilter filter;
  int32_t max_batch_bytes = 64 * 1024;
};

// What is wrong with a filter or a cursor.
struct ReplayProblem {
  std::string field;  // as in a request to stream events
  std::string what;
};
// The first problem; none when a reader can be made.
[[nodiscard]] std::optional<ReplayProblem> CheckReplayOptions(const ReplayOptions& options);

class ReplayReader {
 public:
  enum class Outcome {
    kBatch,   // `batch` is full
    kYield,   // the slice is used up; `batch` holds what there is, perhaps nothing
    kEnd,     // `batch` holds the last events; nothing follows
    kFailed,  // see status()
  };

  ReplayReader(std::shared_ptr<const Plan> plan, ReplayOptions options);
  ~ReplayReader();
  ReplayReader(const ReplayReader&) = delete;
  ReplayReader& operator=(const ReplayReader&) = delete;

  // Replaces `batch` by the next events: stops at max_batch_bytes or after about
  // `max_engine_events` more engine events. covered_through is always set. `batch` may live on an
  // arena.
  Outcome Read(int64_t max_engine_events, v1::EventBatch* batch);
  // As Read, but adds to what the last Read or ReadMore left in `batch`.
  Outcome ReadMore(int64_t max_engine_events, v1::EventBatch* batch);

  // OUT_OF_RANGE: after_sequence is past the last event. INTERNAL: as Simulation::Advance.
  [[nodiscard]] const absl::Status& status() const;
  // Of the last event that the engine gave so far.
  [[nodiscard]] int64_t last_sequence() const;
  // The whole stream was delivered: the last event sent was SimulationEnded.
  [[nodiscard]] bool ended() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokensim
