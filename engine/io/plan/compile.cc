#include "engine/io/plan/compile.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/compute/backend_registry.h"
#include "engine/io/plan/features/calibration.h"
#include "engine/io/plan/features/client_classes.h"
#include "engine/io/plan/features/compute.h"
#include "engine/io/plan/features/faults.h"
#include "engine/io/plan/features/global_scheduler.h"
#include "engine/io/plan/features/hardware.h"
#include "engine/io/plan/features/kernels.h"
#include "engine/io/plan/features/memory_pool.h"
#include "engine/io/plan/features/model.h"
#include "engine/io/plan/features/model_plan.h"
#include "engine/io/plan/features/network.h"
#include "engine/io/plan/features/parallelism.h"
#include "engine/io/plan/features/profile.h"
#include "engine/io/plan/features/run_options.h"
#include "engine/io/plan/features/sampling.h"
#include "engine/io/plan/features/slo.h"
#include "engine/io/plan/features/tiled.h"
#include "engine/io/plan/features/workers.h"
#include "engine/io/plan/features/workload.h"
#include "engine/io/plan/policy_fields.h"
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
  context.model = ToModel(ModelOf(spec, group), group.memory().kv_cache_dtype());
  context.device = ToDevice(group.hardware());
  context.split = ToParallelism(group.parallelism());
  context.calibration = ToCalibration(group.calibration());
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

}  // namespace

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
  CompileRunOptions(resolved, plan.get());
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
  plan->slo = CompileSlo(resolved.slo());
  plan->classes = CompileClasses(resolved);
  if (resolved.has_memory_pool()) plan->memory_pool = CompileMemoryPool(resolved.memory_pool());
  plan->worker_events = CompileFaults(resolved);
  plan->request_delay = FromSeconds(resolved.calibration().request_seconds());
  plan->response_delay = FromSeconds(resolved.calibration().response_seconds());
  return plan;
}

}  // namespace tokensim
