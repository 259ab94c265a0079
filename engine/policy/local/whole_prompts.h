// Admission of prompts that are not cut, as orca, static and vllm_v0 do it.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/worker/batch_builder.h"
#include "engine/worker/local_scheduler.h"

namespace tokensim {

// Admits the front of the queue, which is not remote, with its whole prompt if that fits in a batch
// of `batched` tokens so far (a prompt above the limit: in an empty one) and in the KV cache.
// Returns its tokens to compute; 0: it does not fit.
[[nodiscard]] inline int32_t AdmitWholePrompt(const BatchLimits& limits, int64_t batched,
                                              BatchBuilder* builder) {
  const Admission admission = builder->PlanFront();
  const int32_t tokens = admission.target - admission.cached;
  const bool within = limits.max_num_batched_tokens == 0 || batched == 0 ||
                      batched + tokens <= limits.max_num_batched_tokens;
  if (!within || !builder->Fits(admission, admission.target)) return 0;
  builder->AdmitFront(admission, tokens);
  return tokens;
}

// Admits from the front of the queue while slots, the limit of tokens and blocks last; a KV cache
// that is elsewhere begins to load. Call after ScheduleDecodes.
inline void AdmitWholePrompts(const BatchLimits& limits, BatchBuilder* builder) {
  int64_t batched = builder->decode_count();
  while (builder->has_waiting() && builder->slots_used() < limits.max_num_seqs) {
    if (builder->front_is_remote()) {
      const std::optional<int32_t> tokens = builder->AdmitRemoteFront();
      if (!tokens) break;
      batched += *tokens;
      continue;
    }
    const int32_t tokens = AdmitWholePrompt(limits, batched, builder);
    if (tokens == 0) break;
    batched += tokens;
  }
}

}  // namespace tokensim
