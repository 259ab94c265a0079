// vLLM V1's scheduler (vllm/v1/core/sched/scheduler.py), after Sarathi-Serve (OSDI 2024): one mixed
// batch per iteration within a budget of max_num_batched_tokens.
//
//   1. Running requests, in order of admission: one token for each decode, then the next chunk of a
//      prompt that did not fit before. When blocks run out, the tail of the running set is
//      preempted (recompute), and nobody is admitted in this iteration.
//   2. Waiting requests, first come first served, while budget, slots and blocks last. With
//      reserve_full_prompt a request is admitted only if its whole prompt fits in the free blocks,
//      though it takes blocks only chunk by chunk.
//
// At most one running request is in prefill, and it is the last one: a prompt is left unfinished
// only when it used up the budget, and then nobody is admitted behind it.
#include <algorithm>

#include "engine/schedule/local/schedulers.h"
#include "engine/schedule/worker_state.h"

namespace tokensim {
namespace {

class ChunkedScheduler final : public LocalScheduler {
 public:
  explicit ChunkedScheduler(const LocalSchedulerConfig& config) : config_(config) {}

  void FormBatch(WorkerState& state) override {
    bool preempted = state.PreemptForDecodes();
    state.ScheduleDecodes();
    int32_t budget = config_.max_num_batched_tokens - state.decode_count();
    const RequestHandle unfinished = state.unfinished_prefill();
    if (unfinished != kNoRequest && budget > 0) {
      const LiveRequest& r = state.request(unfinished);
      const int32_t tokens = std::min(r.prefill_target() - r.computed, budget);
      if (state.BlocksFor(r.computed + tokens) - state.BlocksFor(r.computed) >
          state.free_blocks()) {
        state.PreemptTail();
        preempted = true;
      } else {
        state.ContinuePrefill(unfinished, tokens);
        budget -= tokens;
      }
    }
    if (!preempted) Admit(state, budget);
  }

 private:
  void Admit(WorkerState& state, int32_t budget) const {
    while (state.has_waiting() && state.running_count() < config_.max_num_seqs && budget > 0) {
      const int32_t target = state.front_target();
      const int32_t tokens = std::min(target, budget);
      if (state.BlocksFor(config_.reserve_full_prompt ? target : tokens) > state.free_blocks()) {
        break;
      }
      state.AdmitFront(tokens);
      budget -= tokens;
    }
  }

  const LocalSchedulerConfig config_;
};

}  // namespace

std::unique_ptr<LocalScheduler> MakeChunkedScheduler(const LocalSchedulerConfig& config) {
  return std::make_unique<ChunkedScheduler>(config);
}

}  // namespace tokensim
