// Sends requests to workers: each arriving one, and each prefilled one to the worker that decodes.
//
// A global scheduler sees what a real router would: signals of the workers, perhaps stale, and what
// a request shows of itself, never its output length. GlobalSchedulers() lists the policies, one
// file or class each. docs/routing.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace tokensim {

enum class GlobalPolicy : uint8_t {
  kRoundRobin,
  kRandom,
  kLeastRequests,
  kLeastKv,
  kLeastWork,
  kPowerOfTwo,
  kPrefixAffinity,
  kSessionAffinity,
  kWeighted,
  kVllmDp,
};

struct ScorerWeights {
  double queue_depth = 1;
  double kv_use = 1;
  double prefix_hit = 1;
  double load = 1;
};

struct GlobalSchedulerConfig {
  GlobalPolicy policy = GlobalPolicy::kRoundRobin;
  ScorerWeights weights;            // of kWeighted
  double affinity_load_factor = 2;  // > 1; of the affinity policies
  uint64_t seed = 0;                // of kRandom and kPowerOfTwo
  const char* stream = "dispatch";  // name of their random stream; lives forever
};

struct GlobalPolicyInfo {
  GlobalPolicy policy;
  std::string_view name;         // as in specs
  std::string_view description;  // one line, for the catalog
};
[[nodiscard]] const std::vector<GlobalPolicyInfo>& GlobalSchedulers();

// What the router knows of the workers, one entry per worker of the cluster.
struct WorkerSignals {
  std::vector<int32_t> outstanding;         // requests sent there and not finished or handed on
  std::vector<int32_t> waiting;             // of them, not in the running set
  std::vector<int64_t> outstanding_tokens;  // prompt tokens sent there and not yet computed
  // Tokens of the outstanding requests' KV caches, as they were sent: those they came with, else
  // those of the prompt.
  std::vector<int64_t> outstanding_kv_tokens;
  std::vector<int64_t> kv_used;  // KV blocks
  std::vector<int64_t> kv_total;
  int64_t refreshes = 0;  // of stale signals, the first included; 0: these are live

  // A request is sent to the worker, or finished, handed on or lost there.
  void AddOutstanding(size_t worker, int32_t requests, int64_t kv_tokens) {
    outstanding[worker] += requests;
    outstanding_kv_tokens[worker] += kv_tokens;
  }
  void Resize(size_t workers) {
    outstanding.resize(workers);
    waiting.resize(workers);
    outstanding_tokens.resize(workers);
    outstanding_kv_tokens.resize(workers);
    kv_used.resize(workers);
    kv_total.resize(workers);
  }
};

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

class GlobalScheduler {
 public:
  virtual ~GlobalScheduler() = default;
  // One of the candidates. Ties go to the first of them.
  virtual int32_t Dispatch(const DispatchView& view) = 0;
};

[[nodiscard]] std::unique_ptr<GlobalScheduler> MakeGlobalScheduler(
    const GlobalSchedulerConfig& config);

}  // namespace tokensim
