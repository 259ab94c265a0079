// Iteration-level scheduling as in Orca (OSDI 2022), on a paged KV cache: every running request
// decodes in every iteration, and a waiting one joins with its whole prompt in the same batch.
//
// Orca reserves the KV cache of a request's longest possible output on admission; here blocks are
// allocated as tokens come, and the tail is preempted (recompute) when they run out. With
// max_num_batched_tokens, prompts join only while the batch stays within it; one that is larger
// than the limit runs when there is nothing else in the batch.
#include "engine/policy/local/whole_prompts.h"
#include "engine/worker/batch_builder.h"
#include "engine/worker/local_scheduler.h"

namespace tokensim {
namespace {

class OrcaScheduler final : public LocalScheduler {
 public:
  explicit OrcaScheduler(const BatchLimits& limits) : limits_(limits) {}

  void FormBatch(BatchBuilder& builder) override {
    builder.AdmitReady();
    const bool preempted = builder.PreemptForDecodes();
    builder.ScheduleDecodes();
    if (!preempted) AdmitWholePrompts(limits_, &builder);
  }

 private:
  const BatchLimits limits_;
};

}  // namespace

extern constinit const LocalSchedulerEntry kOrcaScheduler = {
    {.name = "orca",
     .description =
         "Orca: iteration-level batching; a prompt joins the batch whole, beside the decodes"},
    {.steady_decodes = true},
    [](const ParameterValues& /*values*/) -> LocalSchedulerFactory::Maker {
      return [](const BatchLimits& limits) { return std::make_unique<OrcaScheduler>(limits); };
    }};

}  // namespace tokensim
