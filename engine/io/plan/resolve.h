// The steps of PrepareSpec: each checks a part of the spec and fills in what it leaves out.
//
// They change the message in place. After a step that found no error, every field it needs is set.
// Internal to engine/io.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/compute/backend.h"
#include "engine/compute/calibration.h"
#include "engine/compute/kernels/efficiency_surface.h"
#include "engine/compute/profile/profile_tables.h"
#include "engine/compute/sampling.h"
#include "engine/hardware/device.h"
#include "engine/hardware/tiled_device.h"
#include "engine/hardware/topology.h"
#include "engine/io/plan/findings.h"
#include "engine/io/plan/prepare.h"
#include "engine/model/transformer.h"
#include "engine/run/plan.h"
#include "engine/worker/local_scheduler.h"
#include "engine/workload/workload.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

inline constexpr int32_t kMaxLength = 1'000'000'000;  // tokens; input + output fit an int32
inline constexpr int64_t kMaxRequests = 1'000'000'000;
inline constexpr int64_t kUnboundedModelLen = 1'000'000;  // of a model that states no limit

// Of each group, one of its workers; none of a group with errors.
using GroupPlans = std::vector<std::optional<WorkerPlan>>;

// `required`: every figure of the model must be known.
void ResolveModel(const std::string& path, bool required, v1::Model* model, Findings* findings);

// What a worker's device is needed for.
struct HardwareNeeds {
  bool compute = false;       // peak, bandwidth
  bool tiled = false;         // arrays and buffers
  bool kernels = false;       // efficiency surfaces
  bool memory = false;        // memory_bytes
  bool interconnect = false;  // more than one device per worker
};
void ResolveHardware(const std::string& path, HardwareNeeds needs, v1::Hardware* hardware,
                     Findings* findings);
// Hardware.kernels, which are removed when they are not used: they are large.
void ResolveKernels(const Checker& check, bool used, v1::Hardware* hardware);
[[nodiscard]] std::vector<EfficiencySurface> ToSurfaces(const v1::Hardware& hardware);
// Hardware.tiled. `check` is the hardware's, whose other figures are resolved.
void CheckTiled(const Checker& check, bool needed, const v1::Hardware& hardware);
[[nodiscard]] TiledDeviceConfig ToTiledDevice(const v1::TiledDevice& tiled);

// Model, workers, global_scheduler, local_scheduler, memory.
void ResolveWorkers(const TracePolicy& policy, v1::Spec* spec, Findings* findings);
void ResolveGlobalScheduler(v1::Spec* spec, Findings* findings);

// Network. Stays absent when no worker can send a KV cache to another and none is given. Needs
// resolved workers.
void ResolveNetwork(v1::Spec* spec, Findings* findings);
// A link at `field` of the checker's message. A name without a bandwidth is a preset of
// configs/links; no name and no bandwidth is the default preset.
void ResolveLink(const Checker& check, std::string_view field, std::string_view default_preset,
                 v1::Interconnect* link);
inline constexpr char kDefaultHostLink[] = "pcie4";

// The parts of a worker group; `check` is the group's. A field that is newer than the first version
// and says what holds anyway is left out, so that a spec keeps the digest it had before.
void ResolveLocalScheduler(const std::string& path, const v1::Model& model, v1::LocalScheduler* s,
                           Findings* findings);
// Share of the KV blocks that a policy keeps free when nothing is said.
[[nodiscard]] double DefaultWatermark(const v1::LocalScheduler& scheduler);
// Of its policy; the defaults when there is none of that name.
[[nodiscard]] LocalSchedulerTraits TraitsOf(const v1::LocalScheduler& scheduler);
void ResolveMemory(const Checker& check, v1::WorkerGroup* group);
// The compute model; `check` is the group's, which is resolved but for its compute model. Reads the
// profile bundle, if it names one.
void ResolveCompute(const TracePolicy& policy, const Checker& check, v1::WorkerGroup* group);
// Whether the compute model needs the figures of model and hardware.
[[nodiscard]] bool PricesOperators(const v1::Compute& compute);
// The backend by name, and the message with its parameters.
[[nodiscard]] std::string BackendName(const v1::Compute& compute);
[[nodiscard]] const google::protobuf::Message& BackendSection(const v1::Compute& compute);
// Of that backend; the defaults when there is none of that name.
[[nodiscard]] BackendTraits TraitsOf(const v1::Compute& compute);
// Expands preset and file.
void ResolveCalibration(const TracePolicy& policy, const Checker& check,
                        v1::Calibration* calibration);
void ResolvePlacement(const Checker& check, int index, v1::WorkerGroup* group);
// Role and breakpoints. `prefill: put_kv` and `dispatch: get_kv` become the role they stand for;
// put_kv after an operator makes the network's transfers layer-wise.
void ResolveBreakpoints(const Checker& check, v1::Network* network, v1::WorkerGroup* group);
// No error touches what the groups' roles are.
[[nodiscard]] bool RolesKnown(const v1::Spec& spec, const Findings& findings);
// What the groups' roles need from each other.
void CheckRoles(const v1::Spec& spec, Findings* findings);
// Breakpoints name operators that the workers have. Findings name those of the spec as given.
void CheckOperators(const v1::Spec& given, const GroupPlans& groups, Findings* findings);

// The model that a group serves.
[[nodiscard]] const v1::Model& ModelOf(const v1::Spec& spec, const v1::WorkerGroup& group);
// Workers of a group in the plan: count x data.
[[nodiscard]] int64_t WorkersOf(const v1::WorkerGroup& group);
// Of them, those that serve from the start.
[[nodiscard]] int64_t InitialWorkersOf(const v1::WorkerGroup& group);

void ResolveSampling(v1::Spec* spec, Findings* findings);
void ResolveMemoryPool(v1::Spec* spec, Findings* findings);
void ResolveFaults(v1::Spec* spec, Findings* findings);

// What one worker of a group can hold.
struct WorkerCapacity {
  bool known = false;  // the group has no errors, and the model fits
  int64_t weight_bytes_per_device = 0;
  int64_t kv_bytes_per_token = 0;  // over all devices of a worker
  int64_t kv_blocks = 0;           // usable

  [[nodiscard]] int64_t kv_tokens(const v1::WorkerGroup& group) const {
    return kv_blocks * group.memory().block_size();
  }
};
// Whether neither the group nor what it takes from the spec has errors.
[[nodiscard]] bool GroupIsGood(const v1::Spec& spec, int index, const Findings& findings);
// One entry per group, known of groups without errors. Errors: the model does not fit.
[[nodiscard]] std::vector<WorkerCapacity> ComputeCapacities(const v1::Spec& spec,
                                                            Findings* findings);

// What needs the size of the model's KV cache: host memory, memory pool.
void CheckKvBytes(const v1::Spec& spec, const std::vector<WorkerCapacity>& capacities,
                  Findings* findings);

// The whole workload. Reads the trace file, if the spec names one and uses it.
void ResolveWorkload(const TracePolicy& policy, v1::Workload* workload, Findings* findings);
void ResolveArrival(v1::Workload* workload, Findings* findings);
void ResolveDuration(const Checker& check, v1::DurationDistribution* duration);
// Of a duration without errors.
[[nodiscard]] double MeanSeconds(const v1::DurationDistribution& duration);
void ResolveLengths(const std::string& path, v1::Lengths* lengths, Findings* findings);
// Replaces path, format, offset and limit by rows. `workload.trace` must be set.
void ResolveTrace(const TracePolicy& policy, v1::Trace* trace, Findings* findings);
// Tokens of the shortest request that lengths can give, input and output.
[[nodiscard]] int64_t ShortestRequest(const v1::Workload& workload);

void CheckSlo(const Checker& check, const v1::Slo& slo);
// seed, slo, stop, output, name, description.
void ResolveRest(v1::Spec* spec, Findings* findings);

// Plain structs of resolved messages.
[[nodiscard]] double BytesPerElement(v1::DataType type);
[[nodiscard]] TransformerConfig ToTransformer(const v1::Model& model, v1::DataType kv_dtype);
[[nodiscard]] ParallelismConfig ToParallelism(const v1::Parallelism& parallelism);
[[nodiscard]] ProfileTables ToProfileTables(const v1::ProfileTables& tables);
// With the host overheads of the hardware where the calibration gives none.
[[nodiscard]] CalibrationConfig ToCalibration(const v1::WorkerGroup& group);
[[nodiscard]] SamplingConfig ToSampling(const v1::Sampling& sampling);
[[nodiscard]] LinkConfig ToLink(const v1::Interconnect& link);
[[nodiscard]] NetworkConfig CompileNetwork(const v1::Spec& spec);
[[nodiscard]] DeviceConfig ToDevice(const v1::Hardware& hardware);
// Dispatch and transfer policies, and what the router knows.
void CompileGlobalScheduler(const v1::Spec& resolved, Plan* plan);
// All but the compute model.
[[nodiscard]] WorkerPlan CompileWorker(const v1::Spec& spec, const v1::WorkerGroup& group,
                                       const WorkerCapacity& capacity);
// Appends the workers of group `index` of the spec, which are like `worker`.
void AppendWorkers(const v1::Spec& spec, int index, WorkerPlan worker,
                   std::vector<WorkerPlan>* workers);
[[nodiscard]] MemoryPoolConfig CompileMemoryPool(const v1::MemoryPool& pool);
[[nodiscard]] std::vector<WorkerEvent> CompileFaults(const v1::Spec& spec);
[[nodiscard]] Workload CompileWorkload(const v1::Workload& workload);
[[nodiscard]] SloPlan CompileSlo(const v1::Slo& slo);
// One entry per client class. Objectives that a class leaves out are the spec's.
[[nodiscard]] std::vector<ClassPlan> CompileClasses(const v1::Spec& resolved);
// A worker of each group without errors.
[[nodiscard]] GroupPlans CompileGroups(const v1::Spec& resolved,
                                       const std::vector<WorkerCapacity>& capacities,
                                       const Findings& findings);
// Of a spec without errors.
[[nodiscard]] std::shared_ptr<const Plan> CompilePlan(const v1::Spec& resolved, GroupPlans groups);

}  // namespace tokensim
