// Sends requests to workers: each arriving one, and each prefilled one to the worker that decodes.
//
// A global scheduler sees what a real router would: signals of the workers, perhaps stale, and what
// a request shows of itself, never its output length before its end. The policies are in this
// folder, one file each; registry.h finds them by name. docs/routing.md.
#pragma once

#include <cstdint>
#include <span>

#include "engine/base/registry.h"
#include "engine/run/worker_signals.h"

namespace tokensim {

// Answers how much of a prompt a worker has in its prefix cache, now.
class PrefixProbe {
 public:
  virtual ~PrefixProbe() = default;
  [[nodiscard]] virtual int32_t HitTokens(int32_t worker) const = 0;
};

// What the router knows when a request needs a worker.
struct DispatchView {
  const WorkerSignals& signals;
  // Workers that may be chosen, by increasing index; not empty.
  std::span<const int32_t> candidates;
  int32_t input_tokens = 0;   // of the request, the tokens generated so far included
  bool transfer = false;      // its prompt is computed: a worker is wanted to decode it
  int64_t conversation = -1;  // -1: none
  // The same for prompts that begin alike; 0: nothing known.
  uint64_t prefix_key = 0;
  const PrefixProbe* prefix = nullptr;  // null: no worker caches prefixes

  // Of each worker, in tokens: the prompts it has to compute, or the KV caches it has to decode on.
  [[nodiscard]] const std::vector<int64_t>& work() const {
    return transfer ? signals.outstanding_kv_tokens : signals.outstanding_tokens;
  }
};

// A request that ended at a worker.
struct FinishedRequest {
  int32_t worker = -1;
  int32_t input_tokens = 0;
  int32_t output_tokens = 0;
  int64_t conversation = -1;  // -1: none
  uint64_t prefix_key = 0;    // as in DispatchView
};

class GlobalScheduler {
 public:
  virtual ~GlobalScheduler() = default;
  // One of the candidates. Ties go to the first of them.
  virtual int32_t Dispatch(const DispatchView& view) = 0;
  // A request got its last token. Called for policies that want it (GlobalSchedulerTraits).
  virtual void OnFinish(const FinishedRequest& /*request*/) {}
};

// What others must know of a global scheduler.
struct GlobalSchedulerTraits {
  bool wants_finishes = false;  // OnFinish is called
};

// Of one run.
struct GlobalSchedulerContext {
  uint64_t seed = 0;
  const char* stream = "dispatch";  // name of its random stream, if it draws any; lives forever
};

class GlobalSchedulerFactory
    : public PolicyFactory<GlobalScheduler, GlobalSchedulerTraits, GlobalSchedulerContext> {
 public:
  using PolicyFactory::PolicyFactory;
};
using GlobalSchedulerEntry = PolicyEntry<GlobalSchedulerFactory>;
using GlobalSchedulerRegistry = PolicyRegistry<GlobalSchedulerFactory>;

}  // namespace tokensim
