// A request of the reference simulator, and the queues it waits in.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "engine/run/plan.h"
#include "engine/run/results.h"
#include "engine/workload/workload.h"
#include "tests/property/reference_blocks.h"

namespace tokensim {

// Where the KV cache of a request is that does not run.
enum class CacheHome : uint8_t { kNowhere, kHost, kOtherWorker, kPool };

struct ReferenceMove;

struct ReferenceRequest {
  RequestInput input;
  RequestRecord record;
  int32_t priority = 0;
  SimTime deadline = kNever;
  std::vector<SimTime> tokens;  // time of each generated token

  int64_t computed = 0;  // tokens in the KV cache of its worker
  int64_t target = 0;    // tokens to be computed before the next token comes
  ReferenceHoldings held;
  int64_t offered = 0;         // tokens whose full blocks were offered to be found
  int64_t decodes_since = -1;  // place in the order in which requests began to decode
  int32_t at = -1;             // worker that answers for it
  int64_t sent_kv_tokens = 0;  // of its KV cache, or of its prompt, when it was sent there
  bool ran_here = false;       // in the running set of that worker, since it came
  SimTime handed_on = kUnset;  // since when it waits for the worker that decodes it

  CacheHome home = CacheHome::kNowhere;
  int64_t stored = 0;             // tokens there
  ReferenceMove* move = nullptr;  // of its KV cache between workers
  // Layer-wise: while its prompt is computed, blocks are kept for it elsewhere.
  int32_t reserved_at = -1;
  ReferenceHoldings reserved;
  int64_t key = 0;               // in the queue it waits in
  SimTime waits_since = kUnset;  // at its worker, since it came or was preempted

  [[nodiscard]] int64_t generated() const { return static_cast<int64_t>(tokens.size()); }
  [[nodiscard]] bool complete() const { return generated() == record.output_tokens; }
  [[nodiscard]] bool decodes() const { return computed > 0 && computed >= target; }
  [[nodiscard]] int64_t to_compute() const { return record.input_tokens + generated(); }
  void EndDecodeWait(SimTime now) {
    if (handed_on == kUnset) return;
    record.decode_queueing = std::max<SimTime>(record.decode_queueing, 0) + now - handed_on;
    handed_on = kUnset;
  }
  [[nodiscard]] bool resumes() const {
    return home == CacheHome::kHost || home == CacheHome::kOtherWorker;
  }
};

// engine/worker/waiting_queue.h, as a list that is looked through.
class ReferenceQueue {
 public:
  explicit ReferenceQueue(const LocalSchedulerConfig& config) : config_(config) {}

  [[nodiscard]] bool empty() const { return requests_.empty(); }
  [[nodiscard]] int64_t size() const { return static_cast<int64_t>(requests_.size()); }
  [[nodiscard]] ReferenceRequest* front() const { return requests_[Front()]; }
  [[nodiscard]] const std::vector<ReferenceRequest*>& requests() const { return requests_; }
  void Arrive(ReferenceRequest* request);
  void Return(ReferenceRequest* request);  // after a preemption
  ReferenceRequest* Pop();
  // Of fair: the class was served.
  void Charge(int32_t client_class, int64_t service) { charged_[client_class] += service; }

 private:
  [[nodiscard]] size_t Front() const;
  [[nodiscard]] int32_t LeastCharged() const;
  [[nodiscard]] bool Waits(int32_t client_class) const;
  void SetKey(ReferenceRequest* request) const;

  const LocalSchedulerConfig& config_;
  std::vector<ReferenceRequest*> requests_;
  std::map<int32_t, int64_t> charged_;  // by class
  int32_t last_left_ = 0;               // class that waited last
};

}  // namespace tokensim
