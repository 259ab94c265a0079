// vLLM V1's scheduler (vllm/v1/core/sched/scheduler.py), after Sarathi-Serve (OSDI 2024): one mixed
// batch per iteration within a budget of max_num_batched_tokens.
//
//   1. Running requests, in order of admission: one token for each decode, then the next chunk of a
//      prompt that did not fit before. When blocks run out, the tail of the running set is
//      preempted (recompute), and nobody is admitted in this iteration.
//   2. Waiting requests, first come first served, while budget, slots and blocks last. With
//      reserve_full_prompt a request is admitted only if its whole prompt fits in the free blocks,
//      though it takes blocks only chunk by chunk; so, too, when nothing runs: nobody would free
//      the blocks it lacks later, and it would preempt itself again and again. A request whose KV
//      cache begins to load takes a slot and blocks, but no budget: nothing of it is computed in
//      this iteration.
//
// At most one running request is in prefill: a prompt is left unfinished only when it used up the
// budget, and then nobody is admitted behind it.
//
// With asynchronous scheduling (async_scheduling_depth 2) the worker asks for a batch while the one
// before runs, on the outcome that one will have; see engine/worker/worker.h.
#include <algorithm>
#include <optional>

#include "engine/worker/batch_builder.h"
#include "engine/worker/local_scheduler.h"

namespace tokensim {
namespace {

class ChunkedScheduler final : public LocalScheduler {
 public:
  ChunkedScheduler(const BatchLimits& limits, bool reserve_full_prompt)
      : limits_(limits), reserve_full_prompt_(reserve_full_prompt) {}

  void FormBatch(BatchBuilder& builder) override {
    builder.AdmitReady();
    bool preempted = builder.PreemptForDecodes();
    builder.ScheduleDecodes();
    int32_t budget = limits_.max_num_batched_tokens - builder.decode_count();
    const RequestHandle unfinished = builder.unfinished_prefill();
    if (unfinished != kNoRequest && budget > 0) {
      const LiveRequest& r = builder.request(unfinished);
      const int32_t tokens = std::min(r.prefill_target() - r.computed, budget);
      if (builder.BlocksToExtend(r, tokens) > builder.free_blocks()) {
        builder.Preempt(unfinished);
        preempted = true;
      } else {
        builder.ContinuePrefill(unfinished, tokens);
        budget -= tokens;
      }
    }
    if (!preempted) Admit(builder, budget);
  }

 private:
  void Admit(BatchBuilder& builder, int32_t budget) const {
    while (builder.has_waiting() && builder.slots_used() < limits_.max_num_seqs && budget > 0) {
      if (builder.front_is_remote()) {
        const std::optional<int32_t> tokens = builder.AdmitRemoteFront();
        if (!tokens) break;
        budget -= *tokens;
        continue;
      }
      const Admission admission = builder.PlanFront();
      const int32_t tokens = std::min(admission.target - admission.cached, budget);
      const bool whole = reserve_full_prompt_ || builder.holders() == 0;
      const int32_t held = whole ? admission.target : admission.cached + tokens;
      if (!builder.Fits(admission, held)) break;
      builder.AdmitFront(admission, tokens);
      budget -= tokens;
    }
  }

  const BatchLimits limits_;
  const bool reserve_full_prompt_;
};

constexpr char kReserveFullPrompt[] = "reserve_full_prompt";
constexpr Parameter kParameters[] = {
    FlagParameter(kReserveFullPrompt, true,
                  "admit a request only when its whole prompt fits in the free KV blocks")};

}  // namespace

extern constinit const LocalSchedulerEntry kChunkedScheduler = {
    {.name = "chunked",
     .description =
         "vLLM V1 / Sarathi: decodes first, then prompts in chunks within a token budget",
     .parameters = kParameters},
    {.splits_prompts = true,
     .default_budget = 2'048,
     .forms_ahead = true,
     .steady_decodes = true,
     .runs_in_lockstep = true,
     .null_blocks = 1},
    [](const ParameterValues& values) -> LocalSchedulerFactory::Maker {
      return [reserve = values.flag(kReserveFullPrompt)](const BatchLimits& limits) {
        return std::make_unique<ChunkedScheduler>(limits, reserve);
      };
    }};

}  // namespace tokensim
