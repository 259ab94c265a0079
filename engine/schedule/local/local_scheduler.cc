#include "engine/schedule/local/local_scheduler.h"

#include "engine/schedule/local/schedulers.h"
#include "engine/schedule/worker_state.h"

namespace tokensim {

void LocalScheduler::ReleaseFinished(WorkerState& state, int64_t blocks) {
  state.pool().Free(blocks);
}

const std::vector<LocalPolicyInfo>& LocalSchedulers() {
  static const std::vector<LocalPolicyInfo> kSchedulers = {
      {LocalPolicy::kChunked, "chunked",
       "vLLM V1 / Sarathi: decodes first, then prompts in chunks within a token budget"},
      {LocalPolicy::kOrca, "orca",
       "Orca: iteration-level batching; a prompt joins the batch whole, beside the decodes"},
      {LocalPolicy::kStatic, "static",
       "a batch fills, then runs to its longest output; finished rows stay as bubbles"},
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
    case LocalPolicy::kChunked:
    case LocalPolicy::kVllmV0:
      break;
  }
  return MakeChunkedScheduler(config);
}

}  // namespace tokensim
