// At most a few whole prompts join an iteration, so that those that decode never wait long.
#include "engine/policy/local/whole_prompts.h"
#include "engine/worker/batch_builder.h"
#include "engine/worker/local_scheduler.h"

namespace tokensim {
namespace {

class FewPrompts final : public LocalScheduler {
 public:
  FewPrompts(const BatchLimits& limits, int64_t prompts) : limits_(limits), prompts_(prompts) {}

  void FormBatch(BatchBuilder& builder) override {
    builder.AdmitReady();
    const bool preempted = builder.PreemptForDecodes();
    builder.ScheduleDecodes();
    if (preempted) return;
    int64_t batched = builder.decode_count();
    for (int64_t left = prompts_; left > 0 && builder.has_waiting(); --left) {
      if (builder.slots_used() >= limits_.max_num_seqs) return;
      if (builder.front_is_remote()) {  // its KV cache is loaded, not computed
        if (!builder.AdmitRemoteFront()) return;
        continue;
      }
      const int32_t tokens = AdmitWholePrompt(limits_, batched, &builder);
      if (tokens == 0) return;
      batched += tokens;
    }
  }

 private:
  const BatchLimits limits_;
  const int64_t prompts_;
};

constexpr char kPrompts[] = "prompts_per_iteration";
constexpr Parameter kParameters[] = {
    IntegerParameter(kPrompts, 1, {.min = 1, .max = 1e6}, "that join at most")};

}  // namespace

extern constinit const LocalSchedulerEntry kFewPromptsScheduler = {
    {.name = "few_prompts",
     .description = "whole prompts beside the decodes, a few in an iteration",
     .parameters = kParameters},
    {.steady_decodes = true},
    [](const ParameterValues& values) -> LocalSchedulerFactory::Maker {
      return [prompts = values.integer(kPrompts)](const BatchLimits& limits) {
        return std::make_unique<FewPrompts>(limits, prompts);
      };
    }};

}  // namespace tokensim
