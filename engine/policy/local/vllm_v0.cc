// vLLM V0's default scheduler (vllm/core/scheduler.py, _schedule_default; the paper's baseline,
// vLLM 0.6): an iteration is either prompts or decodes.
//
//   1. While nothing is swapped out, waiting prompts are admitted, whole, within max_num_seqs and
//      max_num_batched_tokens, as long as the watermark stays free. If any was, that is the batch.
//   2. Else every running request decodes. When blocks run out the last admitted is preempted, by
//      recomputation or by swapping it out to host memory.
//   3. If none was, swapped requests come back, in order, and decode in the same batch.
//
// A swap is copied before the iteration computes, so it lengthens it; with memory.overlap_swap it
// does not, and a request is back when its copy is done.
#include "engine/policy/local/whole_prompts.h"
#include "engine/worker/batch_builder.h"
#include "engine/worker/local_scheduler.h"

namespace tokensim {
namespace {

class VllmV0Scheduler final : public LocalScheduler {
 public:
  explicit VllmV0Scheduler(const BatchLimits& limits) : limits_(limits) {}

  void FormBatch(BatchBuilder& builder) override {
    if (AdmitPrompts(builder)) return;
    builder.AdmitReady();
    const bool preempted = builder.PreemptForDecodes();
    builder.ScheduleDecodes();
    if (preempted) return;
    while (HasPlace(builder) && builder.front_is_remote() && builder.AdmitRemoteFront()) {
    }
  }

 private:
  [[nodiscard]] bool HasPlace(const BatchBuilder& builder) const {
    return builder.has_waiting() && builder.slots_used() < limits_.max_num_seqs;
  }

  bool AdmitPrompts(BatchBuilder& builder) const {
    int64_t batched = 0;
    while (HasPlace(builder) && !builder.front_is_swapped()) {
      if (builder.front_is_remote()) {
        if (!builder.AdmitRemoteFront()) break;
        continue;
      }
      const int32_t tokens = AdmitWholePrompt(limits_, batched, &builder);
      if (tokens == 0) break;
      batched += tokens;
    }
    return batched > 0;
  }

  const BatchLimits limits_;
};

}  // namespace

extern constinit const LocalSchedulerEntry kVllmV0Scheduler = {
    {.name = "vllm_v0",
     .description = "vLLM V0: an iteration runs whole prompts or decodes, prompts first"},
    {.default_budget = 2'048,
     .pauses_decodes = true,
     .steady_decodes = true,
     .default_watermark = 0.01},
    [](const ParameterValues& /*values*/) -> LocalSchedulerFactory::Maker {
      return [](const BatchLimits& limits) { return std::make_unique<VllmV0Scheduler>(limits); };
    }};

}  // namespace tokensim
