#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "engine/compute/backend_registry.h"
#include "engine/io/plan/policy_fields.h"
#include "engine/io/plan/resolve.h"
#include "engine/run/plan.h"
#include "engine/workload/expected_requests.h"

namespace tokensim {
namespace {

std::shared_ptr<const ComputeModel> MakeCompute(const v1::Spec& spec,
                                                const v1::WorkerGroup& group) {
  constexpr int32_t kUsualTokens = 4'096;  // of an iteration without a limit
  const v1::Compute& compute = group.compute();
  const auto backend = ConfigurePolicy(Backends(), BackendName(compute), BackendSection(compute));
  const int32_t budget = group.local_scheduler().max_num_batched_tokens();
  BackendContext context;
  context.model = ToTransformer(ModelOf(spec, group), group.memory().kv_cache_dtype());
  context.device = ToDevice(group.hardware());
  context.split = ToParallelism(group.parallelism());
  context.calibration = ToCalibration(group);
  if (spec.has_sampling()) context.sampling = ToSampling(spec.sampling());
  context.expected_max_tokens = budget == 0 ? kUsualTokens : budget;
  std::vector<EfficiencySurface> surfaces;
  if (backend->traits().needs_surfaces) surfaces = ToSurfaces(group.hardware());
  context.surfaces = surfaces;
  if (backend->traits().needs_tiles) context.tiles = ToTiledDevice(group.hardware().tiled());
  if (compute.has_profile()) context.profile = ToProfileTables(compute.profile().tables());
  return backend->Make(context);
}

// The shortest iteration that gives one request a token.
double FastestTokenSeconds(const std::vector<WorkerPlan>& workers) {
  IterationShape shape;
  shape.decode_count = 1;
  shape.decode_context = 1;
  shape.sampled_count = 1;
  double seconds = std::numeric_limits<double>::max();
  const ComputeModel* previous = nullptr;
  for (const WorkerPlan& worker : workers) {
    if (worker.compute.get() != previous) {
      seconds = std::min(seconds, worker.compute->IterationSeconds(shape));
    }
    previous = worker.compute.get();
  }
  return seconds;
}

ReportWindow CompileWindow(const v1::ReportWindow& window) {
  ReportWindow compiled;
  compiled.start = FromSeconds(window.warm_up_seconds());
  if (window.has_duration_seconds()) {
    compiled.end = compiled.start + FromSeconds(window.duration_seconds());
  }
  return compiled;
}

}  // namespace

double BytesPerElement(v1::DataType type) {
  switch (type) {
    case v1::DATA_TYPE_FP32:
      return 4;
    case v1::DATA_TYPE_FP8:
    case v1::DATA_TYPE_INT8:
      return 1;
    case v1::DATA_TYPE_INT4:
      return 0.5;
    default:
      return 2;
  }
}

TransformerConfig ToTransformer(const v1::Model& model, v1::DataType kv_dtype) {
  TransformerConfig config;
  config.name = model.name();
  config.num_layers = model.num_layers();
  config.hidden_size = model.hidden_size();
  config.num_attention_heads = model.num_attention_heads();
  config.num_kv_heads = model.num_kv_heads();
  config.head_dim = model.head_dim();
  config.intermediate_size = model.intermediate_size();
  config.gated_mlp = model.gated_mlp();
  config.vocab_size = model.vocab_size();
  config.tie_word_embeddings = model.tie_word_embeddings();
  config.num_experts = model.moe().num_experts();
  config.experts_per_token = model.moe().experts_per_token();
  config.weight_bytes_per_parameter = BytesPerElement(model.weight_dtype());
  config.kv_bytes_per_element = BytesPerElement(kv_dtype);
  return config;
}

ParallelismConfig ToParallelism(const v1::Parallelism& parallelism) {
  ParallelismConfig config;
  if (parallelism.has_tensor()) config.tensor = parallelism.tensor();
  if (parallelism.has_pipeline()) config.pipeline = parallelism.pipeline();
  if (parallelism.has_expert()) config.expert = parallelism.expert();
  // Replicas that share their experts.
  const int32_t data = parallelism.has_data() ? parallelism.data() : 1;
  const bool shared = config.expert == int64_t{config.tensor} * data;
  if (config.expert > 1 && shared) config.data = data;
  if (parallelism.has_micro_batches()) config.micro_batches = parallelism.micro_batches();
  return config;
}

DeviceConfig ToDevice(const v1::Hardware& hardware) {
  DeviceConfig device;
  device.name = hardware.name();
  device.peak_flops = hardware.peak_flops();
  device.peak_8bit_flops = hardware.peak_8bit_flops();
  device.memory_bytes = hardware.memory_bytes();
  device.memory_bandwidth_bytes_per_second = hardware.memory_bandwidth_bytes_per_second();
  device.compute_efficiency = hardware.compute_efficiency();
  device.memory_efficiency = hardware.memory_efficiency();
  device.kernel_launch_seconds = hardware.kernel_launch_seconds();
  device.interconnect.name = hardware.interconnect().name();
  device.interconnect.bandwidth_bytes_per_second =
      hardware.interconnect().bandwidth_bytes_per_second();
  device.interconnect.latency_seconds = hardware.interconnect().latency_seconds();
  device.iteration_overhead_seconds = hardware.iteration_overhead_seconds();
  device.sequence_overhead_seconds = hardware.sequence_overhead_seconds();
  return device;
}

GroupPlans CompileGroups(const v1::Spec& resolved, const std::vector<WorkerCapacity>& capacities,
                         const Findings& findings) {
  GroupPlans groups;
  for (int i = 0; i < resolved.workers_size(); ++i) {
    const WorkerCapacity& capacity = capacities[static_cast<size_t>(i)];
    std::optional<WorkerPlan>& worker = groups.emplace_back();
    if (!capacity.known || !GroupIsGood(resolved, i, findings)) continue;
    worker = CompileWorker(resolved, resolved.workers(i), capacity);
    worker->compute = MakeCompute(resolved, resolved.workers(i));
  }
  return groups;
}

std::shared_ptr<const Plan> CompilePlan(const v1::Spec& resolved, GroupPlans groups) {
  auto plan = std::make_shared<Plan>();
  plan->name = resolved.name();
  plan->seed = static_cast<uint64_t>(resolved.seed());
  for (int i = 0; i < resolved.workers_size(); ++i) {
    AppendWorkers(resolved, i, *std::move(groups[static_cast<size_t>(i)]), &plan->workers);
  }
  CompileGlobalScheduler(resolved, plan.get());
  plan->network = CompileNetwork(resolved);
  plan->workload = CompileWorkload(resolved.workload());
  if (plan->workload.duration != kNever) {
    plan->workload.num_requests =
        ExpectedRequests(plan->workload, plan->seed, FastestTokenSeconds(plan->workers));
  }
  if (resolved.report().has_window()) plan->window = CompileWindow(resolved.report().window());
  plan->slo = CompileSlo(resolved.slo());
  plan->classes = CompileClasses(resolved);
  if (resolved.has_memory_pool()) plan->memory_pool = CompileMemoryPool(resolved.memory_pool());
  plan->worker_events = CompileFaults(resolved);
  // However slow the machine: time does not overflow.
  plan->max_simulated_time = FromSeconds(resolved.stop().has_max_simulated_seconds()
                                             ? resolved.stop().max_simulated_seconds()
                                             : kMaxSimulatedSeconds);
  plan->request_delay = FromSeconds(resolved.calibration().request_seconds());
  plan->response_delay = FromSeconds(resolved.calibration().response_seconds());
  plan->max_events = resolved.stop().max_events();
  plan->snapshot_interval = FromSeconds(resolved.output().snapshot_interval_seconds());
  plan->timeline_points = resolved.output().timeline_points();
  return plan;
}

}  // namespace tokensim
