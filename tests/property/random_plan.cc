#include "tests/property/random_plan.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "engine/base/rng.h"
#include "engine/compute/affine.h"
#include "engine/compute/roofline.h"

namespace tokensim {
namespace {

constexpr SimTime kGrid = 1'000'000;  // 1 ms

class Draws {
 public:
  explicit Draws(uint64_t seed, const char* stream = "random_plan") : rng_(seed, stream) {}

  // Integers in [low, high].
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(high - low + 1)));
  }
  int32_t Between32(int32_t low, int32_t high) { return static_cast<int32_t>(Between(low, high)); }
  bool OneIn(int64_t n) { return Between(1, n) == 1; }
  double Seconds(double high) { return rng_.Uniform() * high; }
  template <typename T, size_t n>
  T OneOf(const std::array<T, n>& values) {
    return values[rng_.Below(n)];
  }

 private:
  RngStream rng_;
};

// A small transformer on a small device: iterations of about a millisecond.
std::shared_ptr<const ComputeModel> SmallRoofline() {
  TransformerConfig model;
  model.name = "small";
  model.num_layers = 4;
  model.hidden_size = 1024;
  model.num_attention_heads = 16;
  model.num_kv_heads = 4;
  model.head_dim = 64;
  model.intermediate_size = 4096;
  model.vocab_size = 32'000;
  DeviceConfig device;
  device.name = "small";
  device.peak_flops = 2e13;
  device.peak_8bit_flops = 4e13;
  device.memory_bytes = 16'000'000'000;
  device.memory_bandwidth_bytes_per_second = 2e11;
  device.compute_efficiency = 0.6;
  device.memory_efficiency = 0.8;
  device.kernel_launch_seconds = 3e-6;
  device.iteration_overhead_seconds = 1e-4;
  device.sequence_overhead_seconds = 1e-6;
  return MakeRooflineModel(model, device, /*split=*/{}, /*expected_max_tokens=*/64);
}

std::shared_ptr<const ComputeModel> RandomCompute(Draws& draws, bool on_grid) {
  if (on_grid) return MakeAffineModel({.iteration_seconds = 1e-3});
  if (draws.OneIn(3)) {
    return MakeAffineModel({.iteration_seconds = draws.Seconds(5e-3),
                            .prefill_token_seconds = draws.Seconds(1e-4),
                            .decode_token_seconds = 1e-6 + draws.Seconds(1e-4),
                            .context_token_seconds = draws.Seconds(1e-6)});
  }
  if (draws.OneIn(4)) return SmallRoofline();
  return std::make_shared<ProbeModel>();
}

TraceTable RandomTrace(Draws& draws, int64_t num_requests, bool on_grid) {
  const int32_t max_input = draws.Between32(1, draws.OneIn(4) ? 400 : 60);
  const int32_t max_output = draws.Between32(1, draws.OneIn(4) ? 150 : 40);
  const SimTime max_gap = draws.Between(1, 40) * kGrid;
  TraceTable trace;
  SimTime now = draws.OneIn(2) ? 0 : draws.Between(0, 20) * kGrid;
  for (int64_t i = 0; i < num_requests; ++i) {
    trace.arrival.push_back(now);
    trace.input_tokens.push_back(draws.Between32(1, max_input));
    trace.output_tokens.push_back(draws.OneIn(5) ? 1 : draws.Between32(1, max_output));
    if (draws.OneIn(3)) continue;  // the next one comes at the same time
    now += on_grid ? draws.Between(0, 3) * kGrid : draws.Between(0, max_gap);
    if (draws.OneIn(40)) now += 20 * kNanosPerSecond;  // everything drains
  }
  return trace;
}

Arrivals RandomArrivals(Draws& draws, bool on_grid) {
  if (on_grid) return TraceArrivals{};
  switch (draws.Between(0, 4)) {
    case 0:
      return PoissonArrivals{static_cast<double>(draws.Between(1, 300))};
    case 1:
      return BurstArrivals{draws.Between(1, 30), draws.Seconds(0.5)};
    default:
      return TraceArrivals{};
  }
}

LocalSchedulerConfig RandomScheduler(Draws& draws, LocalPolicy policy) {
  LocalSchedulerConfig config;
  config.policy = policy;
  config.max_num_seqs = draws.OneIn(3) ? draws.Between32(1, 3) : draws.Between32(1, 24);
  config.reserve_full_prompt = draws.OneIn(2);
  if (policy == LocalPolicy::kChunked) {
    config.max_num_batched_tokens =
        config.max_num_seqs + draws.Between32(0, draws.OneIn(2) ? 8 : 300);
  } else {
    config.max_num_batched_tokens = draws.OneIn(2) ? 0 : draws.Between32(1, 300);
  }
  return config;
}

WorkerPlan RandomWorker(Draws& draws, const TraceTable& trace, LocalPolicy policy) {
  int64_t longest = 0;
  for (size_t i = 0; i < trace.input_tokens.size(); ++i) {
    longest = std::max<int64_t>(longest, trace.input_tokens[i] + trace.output_tokens[i]);
  }
  WorkerPlan worker;
  worker.scheduler = RandomScheduler(draws, policy);
  worker.block_size = draws.OneIn(2) ? (1 << draws.Between(0, 5)) : draws.Between32(1, 32);
  // From too small for the longest request to enough for many.
  const int64_t longest_blocks = (longest + worker.block_size - 1) / worker.block_size;
  const int64_t tenths = draws.OneIn(4) ? draws.Between(7, 10) : draws.Between(10, 60);
  worker.kv_blocks = std::max<int64_t>(1, longest_blocks * tenths / 10 + draws.Between(0, 2));
  worker.max_model_len =
      std::max<int64_t>(2, draws.OneIn(4) ? longest * draws.Between(6, 10) / 10 : longest);
  return worker;
}

}  // namespace

double ProbeModel::IterationSeconds(const IterationShape& shape) const {
  double seconds = 0.7e-3 + 1.3e-5 * shape.decode_count +
                   1.1e-7 * static_cast<double>(shape.decode_context) +
                   1.7e-5 * shape.padding_count + 2.9e-5 * shape.sampled_count +
                   3.1e-6 * static_cast<double>(shape.prefill_tokens);
  double position = 1;
  for (const PrefillChunk& chunk : shape.prefill) {
    position += 0.37;
    seconds += position * (2.3e-6 * chunk.new_tokens + 1.9e-8 * chunk.new_tokens * chunk.history);
  }
  return seconds;
}

std::shared_ptr<const Plan> RandomPlan(uint64_t seed, Policies policies) {
  Draws draws(seed);
  const bool on_grid = draws.OneIn(4);
  auto plan = std::make_shared<Plan>();
  plan->name = "random";
  plan->seed = seed;
  plan->global_scheduler.policy = policies.global;
  plan->workload.num_requests = draws.Between(1, 120);
  plan->workload.arrivals = RandomArrivals(draws, on_grid);
  plan->workload.lengths = TraceLengths{};
  auto trace =
      std::make_shared<TraceTable>(RandomTrace(draws, plan->workload.num_requests, on_grid));
  const int64_t num_workers = draws.OneIn(2) ? 1 : draws.Between(2, 5);
  const bool alike = draws.OneIn(2);
  for (int64_t i = 0; i < num_workers; ++i) {
    WorkerPlan worker =
        alike && i > 0 ? plan->workers[0] : RandomWorker(draws, *trace, policies.local);
    worker.name = "gpu/" + std::to_string(i);
    worker.hardware = "probe";
    if (worker.compute == nullptr) worker.compute = RandomCompute(draws, on_grid);
    plan->workers.push_back(std::move(worker));
  }
  plan->workload.trace = std::move(trace);
  plan->snapshot_interval = draws.OneIn(4) ? 0 : draws.Between(1, 400) * kGrid;
  plan->timeline_points = draws.Between32(2, 64);
  return plan;
}

namespace {

void AddSchedulerKnobs(Draws& draws, LocalSchedulerConfig* config) {
  constexpr std::array kOrders = {QueueOrder::kSjf, QueueOrder::kPriority, QueueOrder::kEdf,
                                  QueueOrder::kFair};
  if (draws.OneIn(2)) config->queue_order = draws.OneOf(kOrders);
  if (config->queue_order == QueueOrder::kSjf) config->oracle_output_length = draws.OneIn(3);
  if (draws.OneIn(3)) config->watermark = draws.Seconds(0.4);
  if (draws.OneIn(3)) config->max_memory_ratio = 0.2 + draws.Seconds(0.8);
  if (config->policy == LocalPolicy::kChunked && draws.OneIn(2)) config->async_depth = 2;
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
  if (draws.OneIn(2)) pool.eviction = Eviction::kFifo;
}

namespace {

GlobalSchedulerConfig RandomGlobalScheduler(Draws& draws, uint64_t seed, const char* stream) {
  constexpr std::array kPolicies = {GlobalPolicy::kRoundRobin,    GlobalPolicy::kRandom,
                                    GlobalPolicy::kLeastRequests, GlobalPolicy::kLeastKv,
                                    GlobalPolicy::kLeastWork,     GlobalPolicy::kPowerOfTwo,
                                    GlobalPolicy::kWeighted,      GlobalPolicy::kSessionAffinity};
  GlobalSchedulerConfig config;
  config.policy = draws.OneOf(kPolicies);
  config.affinity_load_factor = 1.1 + draws.Seconds(2);
  config.seed = seed;
  config.stream = stream;
  return config;
}

}  // namespace

void AddRoles(uint64_t seed, Plan* plan) {
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
  plan->global_scheduler = RandomGlobalScheduler(draws, seed, "dispatch");
  plan->transfer_scheduler = RandomGlobalScheduler(draws, seed, "transfer");
  plan->intra_node_first = draws.OneIn(2);
  plan->migrate_on_pressure = draws.OneIn(3);
  plan->network.intra_node.latency_seconds = draws.OneIn(3) ? 0 : draws.Seconds(1e-3);
  plan->network.inter_node.latency_seconds = draws.OneIn(3) ? 1e-3 : draws.Seconds(1e-2);
  plan->network.groups = draws.Between32(1, 3);
}

std::string NameOf(Policies policies) {
  std::string name;
  switch (policies.local) {
    case LocalPolicy::kChunked:
      name = "Chunked";
      break;
    case LocalPolicy::kOrca:
      name = "Orca";
      break;
    case LocalPolicy::kStatic:
      name = "Static";
      break;
    case LocalPolicy::kVllmV0:
      name = "VllmV0";
      break;
  }
  return name + (policies.global == GlobalPolicy::kRoundRobin ? "RoundRobin" : "LeastRequests");
}

}  // namespace tokensim
