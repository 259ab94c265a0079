#include <algorithm>
#include <utility>

#include "engine/compute/affine.h"
#include "engine/compute/roofline.h"
#include "engine/core/plan.h"
#include "engine/spec/resolve.h"

namespace tokensim {
namespace {

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

QuantileTable ToTable(const v1::QuantileTable& table) {
  return {{table.probabilities().begin(), table.probabilities().end()},
          {table.values().begin(), table.values().end()}};
}

LengthDistribution ToDistribution(const v1::LengthDistribution& d) {
  switch (d.distribution_case()) {
    case v1::LengthDistribution::kUniform:
      return UniformLength{d.uniform().min(), d.uniform().max()};
    case v1::LengthDistribution::kLognormal:
      return LogNormalLength{d.lognormal().median(), d.lognormal().sigma(), d.lognormal().min(),
                             d.lognormal().max()};
    case v1::LengthDistribution::kQuantiles:
      return ToTable(d.quantiles());
    default:
      return FixedLength{d.fixed()};
  }
}

Lengths ToLengths(const v1::Lengths& lengths) {
  if (lengths.has_trace()) return TraceLengths{lengths.trace().resample()};
  if (lengths.has_independent()) {
    return IndependentLengths{ToDistribution(lengths.independent().input()),
                              ToDistribution(lengths.independent().output())};
  }
  JointLengths joint{ToTable(lengths.joint().input()), {}};
  for (const v1::OutputGivenInput& bin : lengths.joint().bins()) {
    joint.bins.push_back({bin.max_input(), ToTable(bin.output())});
  }
  return joint;
}

Arrivals ToArrivals(const v1::Arrival& arrival) {
  switch (arrival.process_case()) {
    case v1::Arrival::kConstant:
      return ConstantArrivals{arrival.constant().rate_per_second()};
    case v1::Arrival::kUniform:
      return UniformArrivals{arrival.uniform().start_seconds(), arrival.uniform().end_seconds()};
    case v1::Arrival::kBurst:
      return BurstArrivals{arrival.burst().size(), arrival.burst().interval_seconds()};
    case v1::Arrival::kTrace:
      return TraceArrivals{arrival.trace().speedup()};
    default:
      return PoissonArrivals{arrival.poisson().rate_per_second()};
  }
}

std::shared_ptr<const TraceTable> ToTraceTable(const v1::TraceRows& rows) {
  auto table = std::make_shared<TraceTable>();
  SimTime time = 0;
  table->arrival.reserve(static_cast<size_t>(rows.arrival_delta_ns_size()));
  for (const int64_t delta : rows.arrival_delta_ns()) table->arrival.push_back(time += delta);
  table->input_tokens.assign(rows.input_tokens().begin(), rows.input_tokens().end());
  table->output_tokens.assign(rows.output_tokens().begin(), rows.output_tokens().end());
  return table;
}

GlobalSchedulerConfig ToScheduler(const v1::GlobalScheduler& scheduler) {
  GlobalSchedulerConfig config;
  for (const GlobalPolicyInfo& info : GlobalSchedulers()) {
    if (info.name == scheduler.policy()) config.policy = info.policy;
  }
  return config;
}

std::shared_ptr<const ComputeModel> MakeCompute(const v1::Spec& spec,
                                                const v1::WorkerGroup& group) {
  if (group.compute().has_affine()) {
    const v1::Affine& affine = group.compute().affine();
    return MakeAffineModel({affine.iteration_seconds(), affine.prefill_token_seconds(),
                            affine.decode_token_seconds(), affine.context_token_seconds()});
  }
  constexpr int32_t kUsualTokens = 4'096;  // of an iteration without a limit
  const int32_t budget = group.local_scheduler().max_num_batched_tokens();
  return MakeRooflineModel(ToTransformer(ModelOf(spec, group), group.memory().kv_cache_dtype()),
                           ToDevice(group.hardware()), group.parallelism().tensor(),
                           budget == 0 ? kUsualTokens : budget);
}

std::optional<SimTime> Objective(bool present, double seconds) {
  if (!present) return std::nullopt;
  return std::max<SimTime>(1, FromSeconds(seconds));
}

SloPlan ToSlo(const v1::Slo& slo) {
  return {Objective(slo.has_ttft_seconds(), slo.ttft_seconds()),
          Objective(slo.has_tpot_seconds(), slo.tpot_seconds()),
          Objective(slo.has_max_itl_seconds(), slo.max_itl_seconds()),
          Objective(slo.has_e2e_seconds(), slo.e2e_seconds())};
}

}  // namespace

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

Workload CompileWorkload(const v1::Workload& workload) {
  Workload compiled;
  compiled.num_requests = workload.num_requests();
  compiled.arrivals = ToArrivals(workload.arrival());
  compiled.lengths = ToLengths(workload.lengths());
  if (workload.has_trace()) compiled.trace = ToTraceTable(workload.trace().rows());
  return compiled;
}

std::shared_ptr<const Plan> CompilePlan(const v1::Spec& resolved,
                                        const std::vector<WorkerCapacity>& capacities) {
  auto plan = std::make_shared<Plan>();
  plan->name = resolved.name();
  plan->seed = static_cast<uint64_t>(resolved.seed());
  for (int i = 0; i < resolved.workers_size(); ++i) {
    const v1::WorkerGroup& group = resolved.workers(i);
    WorkerPlan worker = CompileWorker(resolved, group, capacities[static_cast<size_t>(i)]);
    worker.compute = MakeCompute(resolved, group);
    AppendWorkers(resolved, i, std::move(worker), &plan->workers);
  }
  plan->global_scheduler = ToScheduler(resolved.global_scheduler());
  plan->workload = CompileWorkload(resolved.workload());
  plan->slo = ToSlo(resolved.slo());
  if (resolved.has_memory_pool()) plan->memory_pool = CompileMemoryPool(resolved.memory_pool());
  plan->worker_events = CompileFaults(resolved);
  if (resolved.stop().has_max_simulated_seconds()) {
    plan->max_simulated_time = FromSeconds(resolved.stop().max_simulated_seconds());
  }
  plan->max_events = resolved.stop().max_events();
  plan->snapshot_interval = FromSeconds(resolved.output().snapshot_interval_seconds());
  plan->timeline_points = resolved.output().timeline_points();
  return plan;
}

}  // namespace tokensim
