// Static batching, the baseline of the paper's Figure 8: a batch fills from the queue, prefills
// together and runs until its longest output is done; only then the next one starts.
//
// A member that finished early leaves a bubble: its row stays in the dense operators (padding) and
// its KV blocks stay taken until the batch ends, though its answer is complete at its own last
// token. When decodes find no block, the last unfinished member is preempted (recompute) and waits
// for the next batch. KV caches that are loaded join the next batch, too.
//
// With `static.wait: full` a batch begins when
//   it is full     as many requests are here as may run at once, or their prompts as large as an
//                  iteration takes, or there is no room for the KV cache of all of them;
//   it is time     one of them has been here for the time-out;
//   it must        nobody else comes before something runs here (the end of a run),
// and the KV caches that were on their way here have come: they move while the batch fills.
#include <memory>
#include <optional>
#include <string_view>

#include "engine/base/time.h"
#include "engine/policy/local/whole_prompts.h"
#include "engine/worker/batch_builder.h"
#include "engine/worker/local_scheduler.h"

namespace tokensim {
namespace {

class StaticScheduler final : public LocalScheduler {
 public:
  // `timeout`: kNever without one.
  StaticScheduler(const BatchLimits& limits, bool waits, SimTime timeout)
      : limits_(limits), waits_(waits), timeout_(timeout) {}

  void FormBatch(BatchBuilder& builder) override {
    builder.PreemptForDecodes();
    if (builder.running_count() > 0) {
      builder.ScheduleDecodes();
      builder.SchedulePadding();
      return;
    }
    builder.ReleasePadding();
    if (waits_ && IsIncomplete(&builder)) return;
    builder.AdmitReady();
    const bool preempted = builder.PreemptForDecodes();
    builder.ScheduleDecodes();
    if (!preempted) AdmitWholePrompts(limits_, &builder);
  }

 private:
  // Whether the next batch, of those that are here, is not to begin yet.
  bool IsIncomplete(BatchBuilder* builder) const {
    while (builder->has_waiting() && builder->slots_used() < limits_.max_num_seqs &&
           builder->front_loads_ahead() && builder->AdmitRemoteFront()) {
    }
    if (builder->holders() == 0 && !builder->has_waiting()) return false;
    const SimTime due = SaturatingAdd(builder->waiting_since(), timeout_);
    if (!builder->must_run() && builder->now() < due && !IsFull(*builder)) {
      builder->Wait(due);
      return true;
    }
    return builder->expects_loads();
  }

  [[nodiscard]] bool IsFull(const BatchBuilder& builder) const {
    return builder.holders() + builder.queued_count() >= limits_.max_num_seqs ||
           (limits_.max_num_batched_tokens > 0 &&
            builder.queued_tokens() >= limits_.max_num_batched_tokens) ||
           !builder.QueueFits();
  }

  const BatchLimits limits_;
  const bool waits_;
  const SimTime timeout_;
};

constexpr char kWait[] = "static.wait";
constexpr char kTimeout[] = "static.timeout_seconds";
constexpr std::string_view kWaits[] = {"none", "full"};
constexpr Parameter kParameters[] = {
    ChoiceParameter(kWait, kWaits, "for a full batch before it begins"),
    RealParameter(kTimeout, 0, {.min = 0, .max = 1e9},
                  "that a request waits for a full batch at most; 0: no such limit", "s")};

bool WaitsForFullBatch(const ParameterValues& values) { return values.choice(kWait) == kWaits[1]; }

std::optional<ParameterProblem> CheckTimeout(const ParameterValues& values) {
  if (values.real(kTimeout) == 0 || WaitsForFullBatch(values)) return std::nullopt;
  return ParameterProblem{kTimeout,
                          "goes with wait: full; with wait: none nobody waits for others"};
}

}  // namespace

extern constinit const LocalSchedulerEntry kStaticScheduler = {
    {.name = "static",
     .description = "a batch fills, then runs to its longest output; finished rows stay as bubbles",
     .parameters = kParameters},
    {.keeps_finished = true,
     .steady_decodes = true,
     .waits = true,
     .fills_batches = WaitsForFullBatch},
    [](const ParameterValues& values) -> LocalSchedulerFactory::Maker {
      const bool waits = WaitsForFullBatch(values);
      const double seconds = values.real(kTimeout);
      const SimTime timeout = seconds > 0 ? FromSeconds(seconds) : kNever;
      return [waits, timeout](const BatchLimits& limits) {
        return std::make_unique<StaticScheduler>(limits, waits, timeout);
      };
    },
    CheckTimeout};

}  // namespace tokensim
