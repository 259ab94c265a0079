#include "engine/io/plan/features/workers.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/io/plan/features/breakpoints.h"
#include "engine/io/plan/features/calibration.h"
#include "engine/io/plan/features/compute.h"
#include "engine/io/plan/features/engine.h"
#include "engine/io/plan/features/global_scheduler.h"
#include "engine/io/plan/features/hardware.h"
#include "engine/io/plan/features/local_scheduler.h"
#include "engine/io/plan/features/memory.h"
#include "engine/io/plan/features/model.h"
#include "engine/io/plan/features/model_plan.h"
#include "engine/io/plan/features/parallelism.h"
#include "engine/io/plan/features/placement.h"
#include "engine/io/plan/features/roles.h"
#include "engine/io/plan/fields.h"
#include "engine/memory/block_shape.h"
#include "engine/policy/local/registry.h"

namespace tokensim {
namespace {

constexpr int kMaxGroups = 1'000;

bool NeedsFigures(const v1::WorkerGroup& group) {
  return PricesOperators(group.compute()) || !group.memory().has_kv_blocks();
}

// "only chunked does".
std::string LockstepPolicies() {
  std::vector<std::string> names;
  for (const LocalSchedulerEntry* entry : LocalSchedulers().entries()) {
    if (entry->traits.runs_in_lockstep) names.emplace_back(entry->name);
  }
  return absl::StrCat("only ", absl::StrJoin(names, ", "), names.size() == 1 ? " does" : " do");
}

// Ranks that share their experts have no life of their own.
void CheckLockstep(const Checker& check, const v1::WorkerGroup& group) {
  constexpr char kWhy[] =
      "does not go with replicas that share their experts (expert = tensor x "
      "data)";
  if (!TraitsOf(group.local_scheduler()).runs_in_lockstep &&
      !check.Broken("local_scheduler.policy")) {
    check.Error("local_scheduler.policy", absl::StrCat(kWhy, "; ", LockstepPolicies()));
  }
  if (group.has_role() && group.role() != v1::ROLE_BOTH) check.Error("role", kWhy);
  if (group.initial_count() < group.count()) check.Error("initial_count", kWhy);
}

// Devices that exchange activations over more than the interconnect joins.
void WarnOfScaleUp(const Checker& check, const v1::WorkerGroup& group) {
  if (!group.hardware().has_scale_up_devices()) return;
  const int32_t joined = group.hardware().scale_up_devices();
  if (joined < 1) return;  // an error that is told
  const auto warn = [&](const char* field, int32_t devices) {
    if (devices <= joined) return false;
    check.Warning(absl::StrCat("parallelism.", field),
                  absl::StrCat("is ", devices, "; the interconnect joins ", joined,
                               " devices. Beyond them it is slower: set hardware.interconnect"));
    return true;
  };
  if (!warn("tensor", group.parallelism().tensor())) warn("expert", group.parallelism().expert());
}

// Tiles are chosen for one shape of attention and one type of weights.
void CheckTiles(const Checker& check, const v1::Model& resolved) {
  if (!ModelIsKnown(resolved)) return;
  const Model model = ToModel(resolved, v1::DATA_TYPE_BF16);
  if (model.plain_attention() && model.one_format()) return;
  check.Error("compute",
              "of tiles knows only models with the same full attention of heads in every layer and "
              "one type of weights; roofline knows the others");
}

// `known`: the compute model and the memory could be read.
void ResolveDevices(const TracePolicy& policy, const Checker& check, const v1::Spec& spec,
                    bool known, v1::WorkerGroup* group) {
  Findings* const findings = check.findings();
  const bool figures = known && NeedsFigures(*group);
  if (group->model().ByteSizeLong() == 0) group->clear_model();  // it says nothing
  if (group->has_model()) {
    ResolveModel(policy, check.Path("model"), figures, group->mutable_model(), findings);
  }
  const bool model_known = !findings->Broken(group->has_model() ? check.Path("model") : "model");
  ResolveParallelism(Checker(findings, check.Path("parallelism")),
                     model_known ? &ModelOf(spec, *group) : nullptr, group->mutable_parallelism());
  if (known && model_known && TraitsOf(group->compute()).needs_tiles) {
    CheckTiles(check, ModelOf(spec, *group));
  }
  if (figures && !group->has_hardware()) {
    check.Missing("hardware", "is missing: name a preset (`tokensim catalog hardware`)");
    return;
  }
  // A host link is the hardware's. Otherwise what says nothing is nothing.
  const bool host = group->memory().host_memory_bytes() > 0;
  if (!figures && !host && group->hardware().ByteSizeLong() == 0) return group->clear_hardware();
  const v1::Parallelism& split = group->parallelism();
  const bool several = split.tensor() > 1 || split.pipeline() > 1 || split.expert() > 1;
  const bool operators = known && PricesOperators(group->compute());
  const HardwareNeeds needs = {.compute = operators,
                               .tiled = TraitsOf(group->compute()).needs_tiles,
                               .kernels = TraitsOf(group->compute()).needs_surfaces,
                               .memory = known && !group->memory().has_kv_blocks(),
                               .interconnect = operators && several};
  ResolveHardware(check.Path("hardware"), needs, group->mutable_hardware(), findings);
  WarnOfScaleUp(check, *group);
}

void ResolveGroup(const TracePolicy& policy, int index, v1::Spec* spec, Findings* findings) {
  v1::WorkerGroup* group = spec->mutable_workers(index);
  const Checker check(findings, absl::StrCat("workers[", index, "]"));
  if (group->name().empty()) group->set_name(absl::StrCat("group", index));
  check.Length("name", group->name(), 200);
  ResolveCount(check, group);
  Inherit(spec->local_scheduler(), group->mutable_local_scheduler());
  Inherit(spec->memory(), group->mutable_memory());
  if (group->has_engine()) ResolveEngine(check, group->mutable_engine());
  const v1::Engine& engine = group->has_engine() ? group->engine() : spec->engine();
  const v1::Memory given = group->memory();
  ApplyEngineMemory(engine, group->mutable_memory());
  ChooseBackend(group);
  // What a compute model that could not be read would need is not known.
  const bool known =
      !check.Broken("compute") && !check.Broken("memory") && !findings->Broken("memory");
  ResolveDevices(policy, check, *spec, known, group);
  ResolvePrefixCaching(check, given, ModelOf(*spec, *group), group->mutable_memory());
  ApplyEngineScheduler(engine, ModelOf(*spec, *group), group);
  ResolveLocalScheduler(check.Path("local_scheduler"), ModelOf(*spec, *group),
                        group->mutable_local_scheduler(), findings);
  ResolveMemory(check, group);
  ResolveCompute(policy, check, group);
  ResolveGroupCalibration(policy, check, spec->calibration(), group);
  if (PricesOperators(group->compute())) ApplyEngineGraphs(engine, group);
  if (group->has_engine()) KeepEngineName(group->mutable_engine());
  ResolvePlacement(check, index, group);
  ResolveBreakpoints(check, spec->mutable_network(), group);
  if (ToParallelism(group->parallelism()).data > 1) CheckLockstep(check, *group);
}

void CheckNames(const v1::Spec& spec, Findings* findings) {
  std::map<std::string, int> seen;
  for (int i = 0; i < spec.workers_size(); ++i) {
    const auto [first, is_new] = seen.emplace(spec.workers(i).name(), i);
    if (!is_new) {
      findings->Error(absl::StrCat("workers[", i, "].name"),
                      absl::StrCat("is also the name of workers[", first->second, "]"));
    }
  }
}

// The spec's own model must be complete when a group relies on it.
void ResolveSharedModel(const TracePolicy& policy, v1::Spec* spec, Findings* findings) {
  bool needed = false;
  for (int i = 0; i < spec->workers_size(); ++i) {
    const Checker check(findings, absl::StrCat("workers[", i, "]"));
    if (check.Broken("compute") || check.Broken("memory") || check.Broken("model")) continue;
    v1::WorkerGroup merged = spec->workers(i);
    Inherit(spec->memory(), merged.mutable_memory());
    needed = needed || (!merged.has_model() && NeedsFigures(merged));
  }
  // An empty one says nothing.
  if (!needed && spec->model().ByteSizeLong() == 0) spec->clear_model();
  if (spec->has_model()) {
    ResolveModel(policy, "model", needed, spec->mutable_model(), findings);
  } else if (needed) {
    findings->Missing("model", "is missing: name a preset (`tokensim catalog models`)");
  }
}

void RemoveSharedModel(v1::Spec* spec, Findings* findings) {
  const bool used = std::any_of(spec->workers().begin(), spec->workers().end(),
                                [](const v1::WorkerGroup& group) { return !group.has_model(); });
  if (used || spec->workers().empty()) return;
  RemoveUnused(Checker(findings, ""), "model", "every group of workers has its own", spec);
}

}  // namespace

void ResolveWorkers(const TracePolicy& policy, v1::Spec* spec, Findings* findings) {
  if (spec->workers_size() == 0) {
    findings->Missing("workers", "is missing: at least one group of workers is needed");
  }
  if (spec->workers_size() > kMaxGroups) {
    findings->Error("workers", absl::StrCat("has ", spec->workers_size(), " groups; at most ",
                                            Grouped(kMaxGroups), " are allowed"));
    spec->clear_workers();
    return;
  }
  if (spec->has_engine()) ResolveEngine(Checker(findings, ""), spec->mutable_engine());
  ResolveSharedModel(policy, spec, findings);
  ResolveSharedCalibration(policy, spec, findings);
  int64_t workers = 0;
  for (int i = 0; i < spec->workers_size(); ++i) {
    ResolveGroup(policy, i, spec, findings);
    workers += std::clamp<int64_t>(WorkersOf(spec->workers(i)), 0, 1'000'000'000);  // if in range
  }
  CheckNames(*spec, findings);
  if (workers > kMaxWorkers) {
    findings->Error("workers", absl::StrCat("are ", Grouped(workers), " in all; at most ",
                                            Grouped(kMaxWorkers), " are allowed"));
  }
  ResolveGlobalScheduler(spec, findings);
  CheckRoles(*spec, findings);
  RemoveSharedModel(spec, findings);
  ResolveFrontEnd(spec);
  if (spec->has_engine()) KeepEngineName(spec->mutable_engine());
  spec->clear_local_scheduler();
  spec->clear_memory();
}

WorkerPlan CompileWorker(const v1::Spec& spec, const v1::WorkerGroup& group,
                         const WorkerCapacity& capacity) {
  const v1::Memory& memory = group.memory();
  WorkerPlan worker;
  worker.hardware = group.hardware().name();
  worker.scheduler = CompileLocalScheduler(group.local_scheduler());
  worker.kv_blocks = capacity.kv_blocks;
  worker.block_size = memory.block_size();
  worker.layout = capacity.layout;
  if (worker.layout != nullptr) {
    worker.block_size = static_cast<int32_t>(CommonBlockSize(worker.layout->config()));
  }
  worker.max_model_len = group.local_scheduler().max_model_len();
  worker.role = ToRole(group.role());
  worker.kv_bytes_per_token = capacity.kv_bytes_per_token;
  worker.prefix_caching = memory.prefix_caching();
  worker.reuses_unfindable_first = memory.reuse_unfindable_first();
  if (memory.host_memory_bytes() > 0) {
    worker.host_blocks = memory.host_memory_bytes() / capacity.block_bytes(group);
    worker.host_link = CompileHostLink(group);
    worker.overlap_swap = memory.overlap_swap();
  }
  const v1::Model& model = ModelOf(spec, group);
  if (model.has_num_layers()) worker.num_layers = model.num_layers();
  worker.warm_up_seconds = group.calibration().warm_up_seconds();
  const ParallelismConfig split = ToParallelism(group.parallelism());
  worker.devices = split.tensor * split.pipeline;
  worker.dollars_per_hour = group.hardware().price();
  worker.watts = group.hardware().watts();
  CompileBreakpoints(group, &worker);
  return worker;
}

void AppendWorkers(const v1::Spec& spec, int index, WorkerPlan worker,
                   std::vector<WorkerPlan>* workers) {
  const v1::WorkerGroup& group = spec.workers(index);
  const int64_t count = WorkersOf(group);
  const int64_t initial = InitialWorkersOf(group);
  const int32_t ranks = ToParallelism(group.parallelism()).data;
  const auto first_worker = static_cast<int64_t>(workers->size());
  worker.lockstep_ranks = ranks;
  for (int64_t i = 0; i < count; ++i) {
    worker.name = absl::StrCat(group.name(), "/", i);
    worker.node = static_cast<int32_t>(group.node() + i / group.workers_per_node());
    worker.serving = i < initial;
    if (ranks > 1) worker.lockstep_first = static_cast<int32_t>(first_worker + i / ranks * ranks);
    workers->push_back(worker);
  }
}

}  // namespace tokensim
