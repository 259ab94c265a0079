// Iteration-level scheduling as in Orca (OSDI 2022), on a paged KV cache: every running request
// decodes in every iteration, and a waiting one joins with its whole prompt in the same batch.
//
// Orca reserves the KV cache of a request's longest possible output on admission; here blocks are
// allocated as tokens come, and the tail is preempted (recompute) when they run out. With
// max_num_batched_tokens, prompts join only while the batch stays within it; one that is larger
// than the limit runs when there is nothing else in the batch.
#include <optional>

#include "engine/policy/local/schedulers.h"
#include "engine/policy/local/whole_prompts.h"
#include "engine/worker/worker_state.h"

namespace tokensim {
namespace {

class OrcaScheduler final : public LocalScheduler {
 public:
  explicit OrcaScheduler(const LocalSchedulerConfig& config) : config_(config) {}

  void FormBatch(WorkerState& state) override {
    state.AdmitReady();
    const bool preempted = state.PreemptForDecodes();
    state.ScheduleDecodes();
    if (preempted) return;
    int64_t batched = state.decode_count();
    while (state.has_waiting() && state.slots_used() < config_.max_num_seqs) {
      if (state.front_is_remote()) {
        const std::optional<int32_t> tokens = state.AdmitRemoteFront();
        if (!tokens) break;
        batched += *tokens;
        continue;
      }
      const int32_t tokens = AdmitWholePrompt(config_, batched, &state);
      if (tokens == 0) break;
      batched += tokens;
    }
  }

 private:
  const LocalSchedulerConfig config_;
};

}  // namespace

std::unique_ptr<LocalScheduler> MakeOrcaScheduler(const LocalSchedulerConfig& config) {
  return std::make_unique<OrcaScheduler>(config);
}

}  // namespace tokensim
