#include "tests/property/random_plan.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "engine/compute/affine.h"
#include "engine/compute/roofline.h"
#include "engine/model/transformer.h"
#include "engine/workload/test_traffic.h"
#include "tests/property/draws.h"

namespace tokensim {
namespace {

constexpr char kReserve[] = "reserve_full_prompt";

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

LocalSchedulerConfig RandomScheduler(Draws& draws, std::string_view policy,
                                     std::vector<bool>* reserves) {
  LocalSchedulerConfig config;
  config.max_num_seqs = draws.OneIn(3) ? draws.Between32(1, 3) : draws.Between32(1, 24);
  reserves->push_back(draws.OneIn(2));
  config.policy = Local(policy, reserves->back());
  if (config.policy->traits().splits_prompts) {
    config.max_num_batched_tokens =
        config.max_num_seqs + draws.Between32(0, draws.OneIn(2) ? 8 : 300);
  } else {
    config.max_num_batched_tokens = draws.OneIn(2) ? 0 : draws.Between32(1, 300);
  }
  return config;
}

WorkerPlan RandomWorker(Draws& draws, const TraceTable& trace, std::string_view policy,
                        std::vector<bool>* reserves) {
  int64_t longest = 0;
  for (size_t i = 0; i < trace.input_tokens.size(); ++i) {
    longest = std::max<int64_t>(longest, trace.input_tokens[i] + trace.output_tokens[i]);
  }
  WorkerPlan worker;
  worker.scheduler = RandomScheduler(draws, policy, reserves);
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
                   3.1e-6 * static_cast<double>(shape.prefill_tokens) +
                   0.7e-6 * static_cast<double>(shape.gathered_tokens);
  double position = 1;
  for (const PrefillChunk& chunk : shape.prefill) {
    position += 0.37;
    seconds += position * (2.3e-6 * chunk.new_tokens + 1.9e-8 * chunk.new_tokens * chunk.history);
  }
  for (const WindowContext& context : shape.windows) {
    position += 0.53;
    seconds +=
        position * (1e-6 * context.window.tokens + 1.7e-7 * static_cast<double>(context.context));
  }
  return seconds;
}

std::shared_ptr<const LocalSchedulerFactory> Local(std::string_view name, bool reserve) {
  const bool has = ParameterValues(LocalSchedulers().Find(name)->parameters).Has(kReserve);
  return LocalSchedulers().Make(name, has ? NamedValues{{kReserve, reserve}} : NamedValues{});
}

std::shared_ptr<const Plan> RandomPlan(uint64_t seed, Policies policies,
                                       std::vector<bool>* reserves) {
  std::vector<bool> own;
  if (reserves == nullptr) reserves = &own;
  Draws draws(seed);
  const bool on_grid = draws.OneIn(4);
  auto plan = std::make_shared<Plan>();
  plan->name = "random";
  plan->seed = seed;
  plan->global_scheduler = GlobalSchedulers().Make(policies.global);
  plan->workload.num_requests = draws.Between(1, 120);
  plan->workload.arrivals = RandomArrivals(draws, on_grid);
  plan->workload.lengths = TraceLengths{};
  auto trace =
      std::make_shared<TraceTable>(RandomTrace(draws, plan->workload.num_requests, on_grid));
  const int64_t num_workers = draws.OneIn(2) ? 1 : draws.Between(2, 5);
  const bool alike = draws.OneIn(2);
  for (int64_t i = 0; i < num_workers; ++i) {
    WorkerPlan worker =
        alike && i > 0 ? plan->workers[0] : RandomWorker(draws, *trace, policies.local, reserves);
    if (alike && i > 0) reserves->push_back(reserves->front());
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

std::string NameOf(Policies policies) {
  std::string name = policies.local;
  name += '_';
  return name += policies.global;
}

}  // namespace tokensim
