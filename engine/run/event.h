// What happens in a run, as plain structs: one for each kind of event that an observer sees.
//
//   observer->OnEvent(now, ScheduledEvent{.request_id = 7, .worker = 0});
//
// A new kind is a struct here, an alternative of Event, and the place that tells it; whoever writes
// events for users (engine/io/events/event_encoder.cc, events.proto) says how it is written.
// Spans and names are valid during the call only.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "engine/base/time.h"
#include "engine/run/request_record.h"
#include "engine/run/results.h"

namespace tokensim {

// A request reached the global scheduler. `worker` -1: no worker can take it yet.
struct ArrivedEvent {
  int64_t request_id = 0;
  int32_t worker = 0;
  int32_t input_tokens = 0;
};

// A request joined the running set of a worker.
struct ScheduledEvent {
  int64_t request_id = 0;
  int32_t worker = 0;
};

// A request got the first token of its output.
struct FirstTokenEvent {
  int64_t request_id = 0;
  int32_t worker = 0;
};

// The tokens a request got during one stay in the running set of a worker. It comes just before the
// event that ends the stay: preempted, dispatched or finished.
struct TokensEvent {
  int64_t request_id = 0;
  int32_t worker = 0;
  int32_t first_token_index = 0;   // in the output: 0, 1...
  std::span<const SimTime> times;  // of each token; not empty
};

// A request had to leave the running set, for the memory was needed.
struct PreemptedEvent {
  int64_t request_id = 0;
  int32_t worker = 0;
  int32_t generated_tokens = 0;
};

// A request got its last token.
struct FinishedEvent {
  RequestRecord record;
};

// A request cannot be served. record.reject_reason says why.
struct RejectedEvent {
  RequestRecord record;
};

// An iteration of a worker ended. Its token and finish events come after it.
struct IterationEvent {
  int32_t worker = 0;
  int64_t index = 0;  // 0, 1, 2... per worker
  SimTime duration = 0;
  int64_t prefill_tokens = 0;
  int32_t prefill_chunks = 0;
  int32_t decode_tokens = 0;
  int64_t kv_blocks_used = 0;
  int32_t running = 0;
  int32_t waiting = 0;
};

struct WorkerSnapshot {
  int64_t kv_blocks_used = 0;
  int64_t kv_blocks_total = 0;
  int32_t running = 0;
  int32_t waiting = 0;
  int32_t loading = 0;
  int32_t held = 0;
  int64_t host_blocks_used = 0;
  int64_t host_blocks_total = 0;
  int64_t cached_blocks = 0;  // of the free ones, still findable
};

// Plan::snapshot_interval is over: what there is now. From time 0 on.
struct SnapshotEvent {
  std::span<const WorkerSnapshot> workers;  // by index
  int64_t pool_bytes = 0;                   // in the memory pool
};

// A request's KV cache went to host memory, or came back.
struct SwappedEvent {
  int64_t request_id = 0;
  int32_t worker = 0;
  bool out = true;
  int64_t blocks = 0;
  int32_t generated_tokens = 0;
};

// A KV cache has arrived at a worker.
struct TransferredEvent {
  int64_t request_id = 0;
  int32_t from = 0;  // -1: the memory pool
  int32_t to = 0;
  SimTime start = 0;
  int64_t bytes = 0;
  int32_t tokens = 0;
};

// Why a request goes on at another worker.
enum class DispatchReason : uint8_t { kPrefilled, kMigrated, kWorkerFailed };

// A request goes on from one worker to another. `from` -1: it waited for a worker.
struct DispatchedEvent {
  int64_t request_id = 0;
  int32_t from = 0;
  int32_t to = 0;
  DispatchReason reason = DispatchReason::kPrefilled;
};

enum class WorkerStatus : uint8_t { kServing, kStarting, kDraining, kStopped, kFailed };

// A worker failed, recovered, started or stopped.
struct WorkerChangedEvent {
  int32_t worker = 0;
  WorkerStatus status = WorkerStatus::kServing;
};

// An operator that a breakpoint logs ended. Told after the iteration it is part of.
struct OperatorEvent {
  int32_t worker = 0;
  std::string_view name;
  int32_t layer = -1;  // -1: not part of a layer
  SimTime start = 0;
  SimTime duration = 0;
};

// The run is over. Once, last.
struct EndedEvent {
  EndReason reason = EndReason::kNone;
  int64_t finished = 0;
  int64_t rejected = 0;
  int64_t unfinished = 0;
};

using Event =
    std::variant<ArrivedEvent, ScheduledEvent, FirstTokenEvent, TokensEvent, PreemptedEvent,
                 FinishedEvent, RejectedEvent, IterationEvent, SnapshotEvent, SwappedEvent,
                 TransferredEvent, DispatchedEvent, WorkerChangedEvent, OperatorEvent, EndedEvent>;

}  // namespace tokensim
