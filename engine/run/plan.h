// A checked, resolved run: what engine/io/plan compiles a specification to.
//
// Immutable; shared by any number of concurrent runs. Everything here has been validated: the
// engine checks nothing again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/time.h"
#include "engine/compute/compute_model.h"
#include "engine/hardware/topology.h"
#include "engine/memory/block_layout.h"
#include "engine/memory/memory_pool.h"
#include "engine/workload/workload.h"

namespace tokensim {

// Policies (engine/base/registry.h). A plan that leaves one out gets the default one
// (engine/policy/defaults.h).
class GlobalSchedulerFactory;
class LocalSchedulerFactory;
class QueueOrderFactory;
class VictimFactory;

struct SloPlan {
  std::optional<SimTime> ttft;
  std::optional<SimTime> tpot;
  std::optional<SimTime> max_itl;
  std::optional<SimTime> e2e;

  [[nodiscard]] bool any() const { return ttft || tpot || max_itl || e2e; }
};

// What a worker runs of a request.
enum class Role : uint8_t { kBoth, kPrefill, kDecode };

// A place in a worker's work where something happens (docs/breakpoints.md).
enum class BreakpointAction : uint8_t { kLog, kSubmit, kPutKv };
struct Breakpoint {
  std::string after;            // iteration, or an operator of the compute model
  std::vector<int32_t> layers;  // empty: every layer
  BreakpointAction action = BreakpointAction::kLog;
};

enum class PreemptionMode : uint8_t { kRecompute, kSwap };

// How a worker schedules: its policies, and the limits that hold under each of them.
struct LocalSchedulerConfig {
  std::shared_ptr<const LocalSchedulerFactory> policy;  // forms the batches
  int32_t max_num_seqs = 256;                           // >= 1
  // 0: no limit. A policy that wants a budget wants max_num_seqs at least.
  int32_t max_num_batched_tokens = 2048;
  std::shared_ptr<const QueueOrderFactory> queue_order;
  double watermark = 0;         // [0, 1): share of the blocks kept free at an admission
  double max_memory_ratio = 1;  // (0, 1]: of the blocks, for an admission of a new request
  bool loading_takes_slot = true;  // of max_num_seqs, while a KV cache is on its way
  int32_t async_depth = 1;      // 1, or 2 with a policy that forms batches ahead
  PreemptionMode preemption = PreemptionMode::kRecompute;
  std::shared_ptr<const VictimFactory> victim;  // of a preemption
};

// One worker: an engine instance on one or more devices.
struct WorkerPlan {
  std::string name;      // group and index, as gpu/0
  std::string hardware;  // display name of the device
  std::shared_ptr<const ComputeModel> compute;
  LocalSchedulerConfig scheduler;
  int64_t kv_blocks = 0;  // usable blocks, >= 1
  int32_t block_size = 16;
  // Of a model whose layers do not all keep every token: then block_size is what prefix lengths are
  // rounded to. Null: a request holds ceil(tokens / block_size) blocks.
  std::shared_ptr<const BlockLayout> layout;
  int64_t max_model_len = 0;  // longest input + output, >= 2

  Role role = Role::kBoth;
  int32_t node = 0;
  bool serving = true;             // from the start; else it waits for a scale-up
  int64_t kv_bytes_per_token = 0;  // over all devices; 0: unknown, transfers take latency only
  bool prefix_caching = false;
  bool reuses_unfindable_first = false;  // free blocks without content, before those to be found
  int64_t host_blocks = 0;  // room for swapped KV caches, in KV blocks
  LinkConfig host_link;     // to that memory
  bool overlap_swap = false;
  bool drops_cache = false;  // prefill: requests go on without their KV cache
  int32_t num_layers = 1;
  double warm_up_seconds = 0;  // added to its first iteration
  int32_t devices = 1;
  double dollars_per_hour = 0;  // of one device; 0: unknown
  double watts = 0;             // of one device, at most; 0: unknown
  // Ranks in lock-step begin and end their iterations together and share their experts: workers
  // lockstep_first .. lockstep_first + lockstep_ranks - 1.
  int32_t lockstep_first = -1;
  int32_t lockstep_ranks = 1;
  // kLog: any. kSubmit and kPutKv after an operator: when the KV cache of each layer is sent.
  std::vector<Breakpoint> breakpoints;

  // The most tokens that one request can have in its KV cache.
  [[nodiscard]] int64_t KvTokens() const {
    return layout == nullptr ? kv_blocks * block_size
                             : layout->MostTokens(kv_blocks, max_model_len);
  }
  // Of the KV cache of so many tokens, when it is sent.
  [[nodiscard]] int64_t KvBytes(int64_t tokens) const {
    return layout == nullptr ? tokens * kv_bytes_per_token : layout->Bytes(tokens);
  }
  [[nodiscard]] int64_t KvBlockBytes() const {
    return layout == nullptr ? kv_bytes_per_token * block_size : layout->block_bytes();
  }
};

// A kind of client.
struct ClassPlan {
  std::string name;
  int32_t priority = 0;  // lower goes first
  SloPlan slo;
};

// Requests that arrive in [start, end) count in the figures of the report.
struct ReportWindow {
  SimTime start = 0;
  SimTime end = kNever;

  [[nodiscard]] bool Holds(SimTime arrival) const { return start <= arrival && arrival < end; }
};

// Something that happens to the simulated system.
enum class WorkerAction : uint8_t { kFail, kRecover, kScaleUp, kScaleDown };
struct WorkerEvent {
  SimTime time = 0;
  WorkerAction action = WorkerAction::kFail;
  int32_t first_worker = 0;  // of the group
  int32_t group_size = 1;
  int32_t worker = 0;  // kFail, kRecover: index in the cluster
  int32_t count = 1;   // kScaleUp, kScaleDown
  SimTime delay = 0;   // kScaleUp, kRecover: until it serves
};

struct Plan {
  std::string name;
  uint64_t seed = 0;
  std::vector<WorkerPlan> workers;  // not empty
  std::shared_ptr<const GlobalSchedulerFactory> global_scheduler;
  Workload workload;
  SloPlan slo;
  std::vector<ClassPlan> classes;  // empty, or as many as the workload's
  // Picks the worker after a prefill.
  std::shared_ptr<const GlobalSchedulerFactory> transfer_scheduler;
  bool intra_node_first = false;
  SimTime signal_delay = 0;
  bool migrate_on_pressure = false;
  NetworkConfig network;
  std::optional<MemoryPoolConfig> memory_pool;
  std::vector<WorkerEvent> worker_events;  // by time
  SimTime request_delay = 0;               // from the client to the global scheduler
  SimTime response_delay = 0;              // from a worker to the client
  SimTime max_simulated_time = kNever;
  int64_t max_events = 0;                       // 0: no limit
  SimTime snapshot_interval = kNanosPerSecond;  // 0: no snapshots
  int32_t timeline_points = 256;                // 2 .. 4096
  std::optional<ReportWindow> window;           // none: every request counts
};

}  // namespace tokensim
