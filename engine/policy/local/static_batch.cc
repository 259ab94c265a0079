// Static batching, the baseline of the paper's Figure 8: a batch fills from the queue, prefills
// together and runs until its longest output is done; only then the next one starts.
//
// A member that finished early leaves a bubble: its row stays in the dense operators (padding) and
// its KV blocks stay taken until the batch ends, though its answer is complete at its own last
// token. When decodes find no block, the last unfinished member is preempted (recompute) and waits
// for the next batch. KV caches that are loaded join the next batch, too.
#include "engine/policy/local/whole_prompts.h"
#include "engine/worker/batch_builder.h"
#include "engine/worker/local_scheduler.h"

namespace tokensim {
namespace {

class StaticScheduler final : public LocalScheduler {
 public:
  explicit StaticScheduler(const BatchLimits& limits) : limits_(limits) {}

  void FormBatch(BatchBuilder& builder) override {
    builder.PreemptForDecodes();
    if (builder.running_count() > 0) {
      builder.ScheduleDecodes();
      builder.SchedulePadding();
      return;
    }
    builder.ReleasePadding();
    builder.AdmitReady();
    const bool preempted = builder.PreemptForDecodes();
    builder.ScheduleDecodes();
    if (!preempted) AdmitWholePrompts(limits_, &builder);
  }

 private:
  const BatchLimits limits_;
};

}  // namespace

extern constinit const LocalSchedulerEntry kStaticScheduler = {
    {.name = "static",
     .description =
         "a batch fills, then runs to its longest output; finished rows stay as bubbles"},
    {.keeps_finished = true, .steady_decodes = true},
    [](const ParameterValues& /*values*/) -> LocalSchedulerFactory::Maker {
      return [](const BatchLimits& limits) { return std::make_unique<StaticScheduler>(limits); };
    }};

}  // namespace tokensim
