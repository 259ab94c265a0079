// The state of a request while it is in the system, and the slab that holds them.
//
// Requests are named by 32-bit handles into one slab per simulation; a finished request's slot is
// reused. While a request decodes, its progress is implied by the worker's iteration count
// (DecodeSet), so an iteration does not touch it.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/time.h"

namespace tokensim {

using RequestHandle = uint32_t;
inline constexpr RequestHandle kNoRequest = 0xffffffffU;

struct LiveRequest {
  int64_t id = 0;
  SimTime arrival = 0;
  SimTime scheduled = kUnset;  // first entry into the running set
  SimTime first_token = kUnset;
  SimTime last_token = kUnset;  // of the last stay in the running set that produced one
  SimTime max_itl = kUnset;     // over the stays that ended
  int32_t input_tokens = 0;
  int32_t output_tokens = 0;  // true length: for the engine's bookkeeping, never for a policy
  int32_t generated = 0;      // tokens produced; while decoding: when it began to decode
  int32_t computed = 0;       // tokens in the KV cache; while decoding: when it began to decode
  int64_t decode_start = 0;   // first iteration in which it decodes (while decoding)
  RequestHandle running_prev = kNoRequest;
  RequestHandle running_next = kNoRequest;
  RequestHandle calendar_prev = kNoRequest;
  RequestHandle calendar_next = kNoRequest;
  int32_t phase = 0;  // slot in DecodeSet's block ring
  int32_t preemptions = 0;
  bool decoding = false;

  // Tokens to have in the cache before the next token comes: the prompt and, after a preemption,
  // what was generated. Not while decoding.
  [[nodiscard]] int32_t prefill_target() const { return input_tokens + generated; }
};

class RequestSlab {
 public:
  RequestHandle Allocate() {
    if (free_.empty()) {
      slots_.emplace_back();
      return static_cast<RequestHandle>(slots_.size() - 1);
    }
    const RequestHandle handle = free_.back();
    free_.pop_back();
    slots_[handle] = LiveRequest{};
    return handle;
  }
  void Free(RequestHandle handle) { free_.push_back(handle); }

  LiveRequest& operator[](RequestHandle handle) { return slots_[handle]; }
  const LiveRequest& operator[](RequestHandle handle) const { return slots_[handle]; }
  [[nodiscard]] int64_t live() const {
    return static_cast<int64_t>(slots_.size()) - static_cast<int64_t>(free_.size());
  }

 private:
  std::vector<LiveRequest> slots_;
  std::vector<RequestHandle> free_;
};

}  // namespace tokensim
