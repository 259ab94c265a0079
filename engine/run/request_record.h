// What is known of one request when it ended, and where such records go.
#pragma once

#include <cstdint>

#include "engine/base/time.h"

namespace tokensim {

enum class RejectReason : uint8_t {
  kNone,
  kMaxModelLen,
  kKvCapacity,
  kNoWorker,  // none served until the end of the run
};

// One request. Times are kUnset (-1) when they did not happen. A new field needs a column in
// RequestTable.
struct RequestRecord {
  int64_t request_id = 0;  // 0, 1, 2... in order of arrival
  SimTime arrival = kUnset;
  SimTime queued = kUnset;     // taken in by the worker
  SimTime scheduled = kUnset;  // first entry into the running set
  SimTime first_token = kUnset;
  SimTime finish = kUnset;   // rejected requests: time of the rejection
  SimTime max_itl = kUnset;  // longest gap between consecutive tokens; unset for one token
  int32_t input_tokens = 0;
  int32_t output_tokens = 0;
  int32_t cached_tokens = 0;
  int32_t worker = -1;  // the last
  int32_t preemptions = 0;
  RejectReason reject_reason = RejectReason::kNone;
  int32_t client_class = 0;
  int32_t turn = 0;
  int32_t prefill_worker = -1;   // that gave the first token
  int64_t conversation = -1;     // -1: none
  SimTime kv_transfer = kUnset;  // time its KV cache was under way after the first token
  // Time it waited, handed on, for the worker that decodes it to take it; kUnset: never handed on.
  SimTime decode_queueing = kUnset;

  bool operator==(const RequestRecord&) const = default;
};

// Takes the records of a run, in order of completion (rejected requests: of arrival).
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void Add(const RequestRecord& record) = 0;
};

// Counts the requests that end and hands their records on.
class EndedRequests {
 public:
  explicit EndedRequests(RecordSink* sink) : sink_(sink) {}  // null: nobody wants them

  void Add(const RequestRecord& record) {
    ++count_;
    if (sink_ != nullptr) sink_->Add(record);
  }
  [[nodiscard]] int64_t count() const { return count_; }
  // Somebody takes the records.
  [[nodiscard]] bool wanted() const { return sink_ != nullptr; }

 private:
  RecordSink* sink_;
  int64_t count_ = 0;
};

}  // namespace tokensim
