#include "tests/property/random_cluster.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "engine/network/sharing_registry.h"
#include "engine/policy/evict/registry.h"
#include "engine/policy/global/registry.h"
#include "engine/policy/local/registry.h"
#include "engine/policy/local/test_static.h"
#include "engine/policy/order/registry.h"
#include "engine/workload/test_traffic.h"
#include "tests/property/draws.h"
#include "tests/property/random_plan.h"

namespace tokensim {
namespace {

void AddSchedulerKnobs(Draws& draws, LocalSchedulerConfig* config) {
  constexpr std::array kOrders = {"sjf", "priority", "edf", "fair"};
  if (draws.OneIn(2)) {
    const std::string order = draws.OneOf(kOrders);
    const bool oracle = order == "sjf" && draws.OneIn(3);
    config->queue_order = QueueOrders().Make(
        order, oracle ? NamedValues{{"oracle_output_length", 1}} : NamedValues{});
  }
  if (draws.OneIn(3)) config->watermark = draws.Seconds(0.4);
  if (draws.OneIn(3)) config->max_memory_ratio = 0.2 + draws.Seconds(0.8);
  if (config->policy->traits().forms_ahead && draws.OneIn(2)) config->async_depth = 2;
}

LinkConfig RandomLink(Draws& draws) {
  LinkConfig link;
  if (!draws.OneIn(4)) link.latency_seconds = draws.Seconds(draws.OneIn(2) ? 1e-5 : 5e-3);
  if (!draws.OneIn(4)) link.bandwidth_bytes_per_second = 1e5 + draws.Seconds(1e7);
  return link;
}

void AddSwap(Draws& draws, WorkerPlan* worker) {
  if (draws.OneIn(2)) return;
  worker->scheduler.preemption = PreemptionMode::kSwap;
  worker->host_blocks = draws.Between(1, draws.OneIn(2) ? worker->kv_blocks : 10);
  worker->host_link = RandomLink(draws);
  worker->overlap_swap = draws.OneIn(2);
}

// As specs must: workers whose requests migrate form no batches ahead.
void FormNoneAheadOfMigrations(Plan* plan) {
  if (!plan->migrate_on_pressure) return;
  for (WorkerPlan& worker : plan->workers) {
    if (worker.role != Role::kPrefill) worker.scheduler.async_depth = 1;
  }
}

}  // namespace

void AddKnobs(uint64_t seed, Plan* plan) {
  Draws draws(seed, "knobs");
  plan->slo.ttft = draws.Between(1, 500) * kGrid;
  if (draws.OneIn(3)) plan->signal_delay = draws.Between(1, 100) * kGrid;
  const bool alike = draws.OneIn(2);
  for (size_t i = 0; i < plan->workers.size(); ++i) {
    Draws own(alike ? seed : seed * 1000 + i, "worker knobs");
    WorkerPlan& worker = plan->workers[i];
    worker.kv_bytes_per_token = own.Between(1, 2000);
    AddSchedulerKnobs(own, &worker.scheduler);
    AddSwap(own, &worker);
  }
  FormNoneAheadOfMigrations(plan);
}

namespace {

DurationDistribution RandomDuration(Draws& draws) {
  switch (draws.Between(0, 2)) {
    case 0:
      return FixedDuration{draws.OneIn(2) ? 0 : draws.Seconds(0.05)};
    case 1:
      return ExponentialDuration{0.001 + draws.Seconds(0.1)};
    default:
      return UniformDuration{0, draws.Seconds(0.1)};
  }
}

void AddClasses(Draws& draws, Plan* plan) {
  const int32_t classes = draws.Between32(1, 4);
  for (int32_t i = 0; i < classes; ++i) {
    ClientClassConfig client{.share = 0.1 + draws.Seconds(1)};
    if (draws.OneIn(3)) {
      client.lengths = IndependentLengths{UniformLength{1, draws.Between32(1, 60)},
                                          UniformLength{1, draws.Between32(1, 30)}};
    }
    plan->workload.classes.push_back(client);
    ClassPlan objectives{.name = std::to_string(i), .priority = draws.Between32(0, 3)};
    if (!draws.OneIn(3)) objectives.slo.ttft = draws.Between(1, 300) * kGrid;
    plan->classes.push_back(objectives);
  }
}

// Prompts that begin like an earlier one, or not.
void AddHashIds(Draws& draws, TraceTable* trace) {
  trace->hash_block_tokens = draws.Between32(1, 20);
  trace->hash_begin = {0};
  int64_t fresh = 0;
  for (int64_t row = 0; row < trace->size(); ++row) {
    const int32_t ids = trace->input_tokens[static_cast<size_t>(row)] / trace->hash_block_tokens;
    size_t shared = 0;
    size_t begin = 0;
    if (row > 0 && !draws.OneIn(4)) {
      const auto like = static_cast<size_t>(draws.Between(0, row - 1));
      begin = static_cast<size_t>(trace->hash_begin[like]);
      const int64_t length = trace->hash_begin[like + 1] - trace->hash_begin[like];
      shared = static_cast<size_t>(draws.Between(0, std::min<int64_t>(ids, length)));
    }
    for (size_t i = 0; i < static_cast<size_t>(ids); ++i) {
      trace->hash_ids.push_back(i < shared ? trace->hash_ids[begin + i] : ++fresh);
    }
    trace->hash_begin.push_back(static_cast<int64_t>(trace->hash_ids.size()));
  }
}

// Prompts got longer by so many tokens, or so many times as long.
void MakeRoom(int64_t tokens, int64_t times, Plan* plan) {
  for (WorkerPlan& worker : plan->workers) {
    worker.max_model_len = worker.max_model_len * times + tokens;
    worker.kv_blocks = worker.kv_blocks * times + tokens / worker.block_size + 1;
  }
}

}  // namespace

void AddTraffic(uint64_t seed, Plan* plan) {
  Draws draws(seed, "traffic");
  Workload& workload = plan->workload;
  if (draws.OneIn(2)) AddClasses(draws, plan);
  if (draws.OneIn(5)) {
    workload.arrivals = ClosedLoopArrivals{draws.Between(1, 20), RandomDuration(draws)};
  }
  if (draws.OneIn(3)) {
    auto trace = std::make_shared<TraceTable>(*workload.trace);
    AddHashIds(draws, trace.get());
    workload.trace = std::move(trace);
    return;
  }
  if (draws.OneIn(2)) {
    workload.prefix_groups = {draws.Between32(1, 4), draws.Between32(1, 90), draws.Seconds(2)};
    MakeRoom(workload.prefix_groups->tokens, 1, plan);
  }
  if (draws.OneIn(2)) {
    workload.conversations = {.single_turn_share = draws.Seconds(1),
                              .min_turns = 2,
                              .max_turns = draws.Between32(2, 6),
                              .think_time = RandomDuration(draws),
                              .max_context_tokens = draws.OneIn(3) ? draws.Between(1, 300) : 0};
    MakeRoom(0, draws.Between(1, 4), plan);
  }
}

void AddCaches(uint64_t seed, Plan* plan) {
  Draws draws(seed, "caches");
  for (WorkerPlan& worker : plan->workers) worker.prefix_caching = !draws.OneIn(4);
  if (draws.OneIn(2)) return;
  MemoryPoolConfig& pool = plan->memory_pool.emplace();
  if (draws.OneIn(2)) pool.capacity_bytes = draws.Between(1, 1'000'000);
  if (draws.OneIn(2)) pool.fetch_latency_per_block_seconds = draws.Seconds(1e-4);
  if (draws.OneIn(2))
    pool.link = LinkConfig{.name = "pool", .latency_seconds = draws.Seconds(1e-2)};
  if (draws.OneIn(2)) pool.eviction = Evictions().Make("fifo");
  if (draws.OneIn(2)) return;
  pool.load = PoolLoad::kBlocking;
  if (pool.link && draws.OneIn(2)) {
    pool.link->bandwidth_bytes_per_second = 1e5 + draws.Seconds(1e7);
  }
}

namespace {

// A policy, and the parameters that it would have if it were another one.
struct DrawnRouter {
  std::string name;
  std::array<double, 4> weights;
  double load_factor = 2;

  [[nodiscard]] std::shared_ptr<const GlobalSchedulerFactory> Make() const {
    const NamedValues drawn = {{"weights.queue_depth", weights[0]},
                               {"weights.kv_use", weights[1]},
                               {"weights.prefix_hit", weights[2]},
                               {"weights.load", weights[3]},
                               {"affinity_load_factor", load_factor}};
    const ParameterValues known(GlobalSchedulers().Find(name)->parameters);
    NamedValues values;
    for (const auto& value : drawn) {
      if (known.Has(value.first)) values.push_back(value);
    }
    return GlobalSchedulers().Make(name, values);
  }
};

DrawnRouter RandomRouter(Draws& draws) {
  constexpr std::array kPolicies = {"round_robin", "random",           "least_requests",
                                    "least_kv",    "least_work",       "power_of_two",
                                    "weighted",    "session_affinity", "vllm_dp"};
  DrawnRouter router;
  router.name = draws.OneOf(kPolicies);
  for (double& weight : router.weights) weight = draws.Seconds(2);
  router.load_factor = 1.1 + draws.Seconds(2);
  return router;
}

// Returns the policy of the first stage.
DrawnRouter AddRandomRoles(uint64_t seed, Plan* plan);

}  // namespace

void AddRoles(uint64_t seed, Plan* plan) { AddRandomRoles(seed, plan); }

namespace {

DrawnRouter AddRandomRoles(uint64_t seed, Plan* plan) {
  Draws draws(seed, "roles");
  const int32_t nodes = draws.Between32(1, 3);
  const auto wanted = static_cast<size_t>(draws.Between(2, 6));
  while (plan->workers.size() < wanted) plan->workers.push_back(plan->workers.back());
  for (size_t i = 0; i < plan->workers.size(); ++i) {
    WorkerPlan& worker = plan->workers[i];
    worker.name = "gpu/" + std::to_string(i);
    worker.node = draws.Between32(0, nodes - 1);
    worker.role = draws.OneOf(std::array{Role::kPrefill, Role::kDecode, Role::kBoth});
  }
  plan->workers[0].role = Role::kPrefill;
  if (plan->workers[1].role == Role::kPrefill) plan->workers[1].role = Role::kDecode;
  for (WorkerPlan& worker : plan->workers) {
    worker.drops_cache = worker.role == Role::kPrefill && draws.OneIn(6);
  }
  DrawnRouter dispatcher = RandomRouter(draws);
  plan->global_scheduler = dispatcher.Make();
  plan->transfer_scheduler = RandomRouter(draws).Make();
  plan->intra_node_first = draws.OneIn(2);
  plan->migrate_on_pressure = draws.OneIn(3);
  plan->network.intra_node.latency_seconds = draws.OneIn(3) ? 0 : draws.Seconds(1e-3);
  plan->network.inter_node.latency_seconds = draws.OneIn(3) ? 1e-3 : draws.Seconds(1e-2);
  plan->network.groups = draws.Between32(1, 3);
  FormNoneAheadOfMigrations(plan);
  return dispatcher;
}

}  // namespace

void AddNetwork(uint64_t seed, Plan* plan) {
  Draws draws(seed, "network");
  NetworkConfig& network = plan->network;
  network.intra_node = RandomLink(draws);
  network.inter_node = RandomLink(draws);
  network.sharing = SharingRules().Make(draws.OneIn(2) ? "fifo" : "fair");
  network.mode = draws.OneOf(
      std::array{TransferMode::kSequential, TransferMode::kBuffered, TransferMode::kLayerwise});
  network.groups = draws.Between32(1, 5);
  network.buffered_groups = draws.Between32(1, 3);
  for (WorkerPlan& worker : plan->workers) worker.num_layers = draws.Between32(1, 6);
  if (plan->memory_pool && plan->memory_pool->link) {
    plan->memory_pool->link->bandwidth_bytes_per_second = 1e5 + draws.Seconds(1e7);
  }
}

namespace {

// All workers that decode fail at once; perhaps some recover.
void FailDecoders(Draws& draws, SimTime last, Plan* plan) {
  const SimTime time = draws.Between(0, last);
  const bool recover = !draws.OneIn(3);
  for (size_t i = 0; i < plan->workers.size(); ++i) {
    if (plan->workers[i].role == Role::kPrefill) continue;
    const auto worker = static_cast<int32_t>(i);
    plan->worker_events.push_back({.time = time, .action = WorkerAction::kFail, .worker = worker});
    if (!recover || draws.OneIn(3)) continue;
    plan->worker_events.push_back({.time = time + draws.Between(1, 300) * kGrid,
                                   .action = WorkerAction::kRecover,
                                   .worker = worker,
                                   .delay = draws.Between(0, 50) * kGrid});
  }
}

}  // namespace

void AddFaults(uint64_t seed, Plan* plan) {
  Draws draws(seed, "faults");
  const auto workers = static_cast<int32_t>(plan->workers.size());
  for (WorkerPlan& worker : plan->workers) worker.serving = !draws.OneIn(6);
  plan->workers[0].serving = true;
  const SimTime last = draws.Between(1, 2000) * kGrid;
  if (draws.OneIn(3)) FailDecoders(draws, last, plan);
  for (int64_t i = draws.Between(1, 12); i > 0; --i) {
    WorkerEvent event{.time = draws.OneIn(8) ? 0 : draws.Between(0, last)};
    event.action =
        draws.OneOf(std::array{WorkerAction::kFail, WorkerAction::kRecover, WorkerAction::kRecover,
                               WorkerAction::kScaleUp, WorkerAction::kScaleDown});
    event.worker = draws.Between32(0, workers - 1);
    event.first_worker = draws.Between32(0, workers - 1);
    event.group_size = draws.Between32(1, workers - event.first_worker);
    event.count = draws.Between32(1, event.group_size);
    if (!draws.OneIn(3)) event.delay = draws.Between(0, 100) * kGrid;
    plan->worker_events.push_back(event);
  }
  std::stable_sort(plan->worker_events.begin(), plan->worker_events.end(),
                   [](const WorkerEvent& a, const WorkerEvent& b) { return a.time < b.time; });
  for (WorkerPlan& worker : plan->workers) {
    if (draws.OneIn(3)) worker.warm_up_seconds = draws.Seconds(0.05);
  }
}

// What specs let go together: policy chunked, both roles, serving from the start, all alike.
// `reserves`: of each worker, whether chunked reserves whole prompts there.
void AddLockstep(uint64_t seed, const std::vector<bool>& reserves, Plan* plan) {
  Draws draws(seed, "lockstep");
  const auto like = static_cast<size_t>(draws.Between(0, std::ssize(plan->workers) - 1));
  WorkerPlan rank = plan->workers[like];
  rank.role = Role::kBoth;
  rank.serving = true;
  rank.drops_cache = false;
  rank.scheduler.policy = Local("chunked", reserves[like]);
  rank.scheduler.max_num_batched_tokens =
      std::max(rank.scheduler.max_num_batched_tokens, rank.scheduler.max_num_seqs);
  if (plan->worker_events.empty() && draws.OneIn(3)) plan->workers.clear();
  for (int64_t groups = draws.Between(1, 2); groups > 0; --groups) {
    rank.lockstep_first = static_cast<int32_t>(plan->workers.size());
    rank.lockstep_ranks = draws.Between32(2, 4);
    rank.scheduler.async_depth = plan->migrate_on_pressure ? 1 : draws.Between32(1, 2);
    rank.warm_up_seconds = draws.OneIn(3) ? draws.Seconds(0.05) : 0;
    for (int32_t i = 0; i < rank.lockstep_ranks; ++i) {
      rank.name = "rank/" + std::to_string(plan->workers.size());
      plan->workers.push_back(rank);
    }
  }
}

std::shared_ptr<Plan> RandomCluster(uint64_t seed) {
  Draws draws(seed, "cluster");
  constexpr std::array kLocal = {"chunked", "orca", "static", "vllm_v0"};
  std::vector<bool> reserves;
  auto plan =
      std::make_shared<Plan>(*RandomPlan(seed, {draws.OneOf(kLocal), "least_requests"}, &reserves));
  if (!draws.OneIn(4)) AddTraffic(seed, plan.get());
  if (!draws.OneIn(4)) AddCaches(seed, plan.get());
  DrawnRouter dispatcher;
  if (draws.OneIn(4)) {
    dispatcher = RandomRouter(draws);
  } else {
    dispatcher = AddRandomRoles(seed, plan.get());
  }
  if (draws.OneIn(3)) dispatcher.name = "prefix_affinity";
  plan->global_scheduler = dispatcher.Make();
  reserves.resize(plan->workers.size(), reserves.back());
  if (draws.OneIn(3)) {
    for (size_t i = 0; i < plan->workers.size(); ++i) {
      LocalSchedulerConfig& scheduler = plan->workers[i].scheduler;
      scheduler.policy = Local(draws.OneOf(kLocal), reserves[i]);
      // As policies with a budget want it.
      scheduler.max_num_batched_tokens =
          std::max(scheduler.max_num_batched_tokens, scheduler.max_num_seqs);
    }
  }
  AddKnobs(seed, plan.get());
  AddNetwork(seed, plan.get());
  if (draws.OneIn(3)) AddFaults(seed, plan.get());
  if (draws.OneIn(6)) AddLockstep(seed, reserves, plan.get());
  return plan;
}

std::shared_ptr<Plan> RandomWaitingCluster(uint64_t seed) {
  auto plan = RandomCluster(seed);
  Draws draws(seed, "waits");
  const int64_t others = draws.Between(1, 6);  // one in so many workers stays as it is
  for (WorkerPlan& worker : plan->workers) {
    const bool stays = others > 1 && draws.OneIn(others);
    if (stays || worker.lockstep_first >= 0) continue;
    worker.scheduler.policy = FullBatches(draws.OneIn(3) ? 0 : draws.Seconds(0.2));
    worker.scheduler.async_depth = 1;
    if (draws.OneIn(3)) worker.scheduler.max_num_batched_tokens = 0;
  }
  return plan;
}

}  // namespace tokensim
