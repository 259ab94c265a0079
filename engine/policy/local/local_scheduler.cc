#include "engine/policy/local/local_scheduler.h"

#include "engine/policy/local/schedulers.h"

namespace tokensim {

const std::vector<LocalPolicyInfo>& LocalSchedulers() {
  static const std::vector<LocalPolicyInfo> kSchedulers = {
      {LocalPolicy::kChunked, "chunked",
       "vLLM V1 / Sarathi: decodes first, then prompts in chunks within a token budget"},
      {LocalPolicy::kOrca, "orca",
       "Orca: iteration-level batching; a prompt joins the batch whole, beside the decodes"},
      {LocalPolicy::kStatic, "static",
       "a batch fills, then runs to its longest output; finished rows stay as bubbles"},
      {LocalPolicy::kVllmV0, "vllm_v0",
       "vLLM V0: an iteration runs whole prompts or decodes, prompts first"},
  };
  return kSchedulers;
}

const std::vector<QueueOrderInfo>& QueueOrders() {
  static const std::vector<QueueOrderInfo> kOrders = {
      {QueueOrder::kFcfs, "fcfs", "first come, first served"},
      {QueueOrder::kSjf, "sjf", "shortest prompt first"},
      {QueueOrder::kPriority, "priority", "class priority, then first come, first served"},
      {QueueOrder::kEdf, "edf", "earliest TTFT deadline first"},
      {QueueOrder::kFair, "fair", "the class that got the fewest tokens first (VTC)"},
  };
  return kOrders;
}

std::unique_ptr<LocalScheduler> MakeLocalScheduler(const LocalSchedulerConfig& config) {
  switch (config.policy) {
    case LocalPolicy::kOrca:
      return MakeOrcaScheduler(config);
    case LocalPolicy::kStatic:
      return MakeStaticScheduler(config);
    case LocalPolicy::kVllmV0:
      return MakeVllmV0Scheduler(config);
    case LocalPolicy::kChunked:
      break;
  }
  return MakeChunkedScheduler(config);
}

}  // namespace tokensim
