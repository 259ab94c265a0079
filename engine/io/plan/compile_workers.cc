// Workers of a resolved spec, all but their compute models. The defaults of fields that a resolved
// spec leaves out are here.
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/policy_fields.h"
#include "engine/io/plan/resolve.h"
#include "engine/policy/defaults.h"
#include "engine/policy/evict/registry.h"
#include "engine/policy/local/registry.h"
#include "engine/policy/order/registry.h"
#include "engine/policy/victim/registry.h"
#include "engine/run/plan.h"

namespace tokensim {
namespace {

constexpr double kFetchLatencyPerBlock = 800e-9;  // the paper's, section IV-E

LocalSchedulerConfig ToScheduler(const v1::LocalScheduler& scheduler) {
  LocalSchedulerConfig config;
  const std::string& order = scheduler.queue_order();
  const std::string& victim = scheduler.preemption_victim();
  config.policy = ConfigurePolicy(LocalSchedulers(), scheduler.policy(), scheduler);
  config.queue_order =
      ConfigurePolicy(QueueOrders(), order.empty() ? kDefaultQueueOrder : order, scheduler);
  config.victim = ConfigurePolicy(
      Victims(), victim.empty() ? DefaultVictim(config.queue_order->traits()) : victim, scheduler);
  config.max_num_seqs = scheduler.max_num_seqs();
  config.max_num_batched_tokens = scheduler.max_num_batched_tokens();
  config.watermark =
      scheduler.has_watermark() ? scheduler.watermark() : DefaultWatermark(scheduler);
  if (scheduler.has_max_memory_ratio()) config.max_memory_ratio = scheduler.max_memory_ratio();
  if (scheduler.has_async_scheduling_depth()) {
    config.async_depth = scheduler.async_scheduling_depth();
  }
  if (scheduler.preemption_mode() == v1::PREEMPTION_MODE_SWAP) {
    config.preemption = PreemptionMode::kSwap;
  }
  return config;
}

Role ToRole(v1::Role role) {
  switch (role) {
    case v1::ROLE_PREFILL:
      return Role::kPrefill;
    case v1::ROLE_DECODE:
      return Role::kDecode;
    default:
      return Role::kBoth;
  }
}

// Each of the worker's devices has its own link to the host, and a part of every KV block.
LinkConfig HostLink(const v1::WorkerGroup& group) {
  v1::Interconnect link = group.hardware().host_link();
  if (!group.hardware().has_host_link()) {
    Findings ignored;  // the default has none
    ResolveLink(Checker(&ignored, ""), "", kDefaultHostLink, &link);
  }
  LinkConfig config = ToLink(link);
  const v1::Parallelism& split = group.parallelism();
  config.bandwidth_bytes_per_second *=
      split.tensor() * (split.has_pipeline() ? split.pipeline() : 1);
  return config;
}

// `submit` alone hands requests on without their KV cache.
void AddBreakpoints(const v1::WorkerGroup& group, WorkerPlan* worker) {
  for (const v1::Breakpoint& b : group.breakpoints()) {
    if (b.action() == "submit") {
      worker->drops_cache = true;
      continue;
    }
    const bool sends = b.action() == "put_kv";
    worker->breakpoints.push_back({b.after(),
                                   {b.layers().begin(), b.layers().end()},
                                   sends ? BreakpointAction::kPutKv : BreakpointAction::kLog});
  }
}

}  // namespace

WorkerPlan CompileWorker(const v1::Spec& spec, const v1::WorkerGroup& group,
                         const WorkerCapacity& capacity) {
  const v1::Memory& memory = group.memory();
  WorkerPlan worker;
  worker.hardware = group.hardware().name();
  worker.scheduler = ToScheduler(group.local_scheduler());
  worker.kv_blocks = capacity.kv_blocks;
  worker.block_size = memory.block_size();
  worker.max_model_len = group.local_scheduler().max_model_len();
  worker.role = ToRole(group.role());
  worker.kv_bytes_per_token = capacity.kv_bytes_per_token;
  worker.prefix_caching = memory.prefix_caching();
  if (memory.host_memory_bytes() > 0) {
    worker.host_blocks =
        memory.host_memory_bytes() / (capacity.kv_bytes_per_token * memory.block_size());
    worker.host_link = HostLink(group);
    worker.overlap_swap = memory.overlap_swap();
  }
  const v1::Model& model = ModelOf(spec, group);
  if (model.has_num_layers()) worker.num_layers = model.num_layers();
  worker.warm_up_seconds = group.calibration().warm_up_seconds();
  const ParallelismConfig split = ToParallelism(group.parallelism());
  worker.devices = split.tensor * split.pipeline;
  worker.dollars_per_hour = group.hardware().price();
  worker.watts = group.hardware().watts();
  AddBreakpoints(group, &worker);
  return worker;
}

void AppendWorkers(const v1::Spec& spec, int index, WorkerPlan worker,
                   std::vector<WorkerPlan>* workers) {
  const v1::WorkerGroup& group = spec.workers(index);
  const int64_t count = WorkersOf(group);
  const int64_t initial = InitialWorkersOf(group);
  const int64_t first_node = group.has_node() ? group.node() : index;
  const int64_t per_node = group.has_workers_per_node() ? group.workers_per_node() : count;
  const int32_t ranks = ToParallelism(group.parallelism()).data;
  const auto first_worker = static_cast<int64_t>(workers->size());
  worker.lockstep_ranks = ranks;
  for (int64_t i = 0; i < count; ++i) {
    worker.name = absl::StrCat(group.name(), "/", i);
    worker.node = static_cast<int32_t>(first_node + i / per_node);
    worker.serving = i < initial;
    if (ranks > 1) worker.lockstep_first = static_cast<int32_t>(first_worker + i / ranks * ranks);
    workers->push_back(worker);
  }
}

MemoryPoolConfig CompileMemoryPool(const v1::MemoryPool& pool) {
  MemoryPoolConfig config;
  config.capacity_bytes = pool.capacity_bytes();
  config.fetch_latency_per_block_seconds = pool.has_fetch_latency_per_block_seconds()
                                               ? pool.fetch_latency_per_block_seconds()
                                               : kFetchLatencyPerBlock;
  if (pool.has_link()) config.link = ToLink(pool.link());
  if (pool.load() == v1::POOL_LOAD_BLOCKING) config.load = PoolLoad::kBlocking;
  Findings ignored;  // a resolved pool has none
  const std::string eviction =
      PolicyName(Checker(&ignored, ""), "eviction", "eviction_policy", kDefaultEviction, pool);
  config.eviction = ConfigurePolicy(Evictions(), eviction, pool);
  return config;
}

}  // namespace tokensim
