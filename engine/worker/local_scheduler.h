// Forms the batch of each iteration of one worker: the interface of local schedulers.
//
// A local scheduler moves requests between the worker's waiting queue and its running set through
// BatchBuilder (engine/worker/batch_builder.h) and fills the iteration's shape. One that wants more
// requests in a batch than there are says that it waits, and perhaps until when: it is asked again
// when something changes at its worker, at that time, and, so that every run ends, when nothing else
// can happen. The policies are in engine/policy/local, one file each, named after what it
// reproduces. docs/schedulers.md.
#pragma once

#include <cstdint>

#include "engine/base/parameters.h"
#include "engine/base/registry.h"

namespace tokensim {

class BatchBuilder;

class LocalScheduler {
 public:
  virtual ~LocalScheduler() = default;
  // Decides what runs next. Leaves the batch empty when there is nothing to run, or, having called
  // BatchBuilder::Wait, when it shall not run yet.
  virtual void FormBatch(BatchBuilder& builder) = 0;
};

// What others must know of a local scheduler. The defaults are safe for any.
struct LocalSchedulerTraits {
  // A prompt above the token budget is computed in several iterations.
  bool splits_prompts = false;
  // max_num_batched_tokens when none is given, which must be max_num_seqs at least; one that does
  // not split prompts gets room for the longest. 0: no limit unless one is given.
  int32_t default_budget = 0;
  // It may form a batch while the one before runs (async_scheduling_depth 2).
  bool forms_ahead = false;
  // Some iterations run prompts only, and hold up the decodes.
  bool pauses_decodes = false;
  // Rows and blocks of finished requests stay until their batch ends.
  bool keeps_finished = false;
  // While nobody waits, starts or ends, every batch is: one token for each decode, and the rows
  // that keeps_finished keeps. Then the worker need not ask for it.
  bool steady_decodes = false;
  // Ranks in lock-step may run it: it never leaves a rank with requests and without a batch.
  bool runs_in_lockstep = false;
  // It may wait for more requests, and may ask what those that are here need, and since when.
  bool waits = false;
  // With these values it waits until max_num_seqs requests are there, so there must be such a
  // number. Null: it never does.
  bool (*fills_batches)(const ParameterValues& values) = nullptr;
  // KV blocks that nobody gets, as vLLM V1's block 0.
  int32_t null_blocks = 0;
  // Share of the KV blocks that is kept free at an admission when nothing is said.
  double default_watermark = 0;
};

// The limits of a worker that every scheduler keeps.
struct BatchLimits {
  int32_t max_num_seqs = 256;
  int32_t max_num_batched_tokens = 0;  // 0: no limit
};

class LocalSchedulerFactory
    : public PolicyFactory<LocalScheduler, LocalSchedulerTraits, BatchLimits> {
 public:
  using PolicyFactory::PolicyFactory;
};
using LocalSchedulerEntry = PolicyEntry<LocalSchedulerFactory>;
using LocalSchedulerRegistry = PolicyRegistry<LocalSchedulerFactory>;

}  // namespace tokensim
