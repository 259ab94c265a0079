#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/io/plan/model_plan.h"
#include "engine/io/plan/resolve.h"
#include "engine/policy/local/registry.h"

namespace tokensim {
namespace {

constexpr int kMaxGroups = 1'000;
constexpr int64_t kMaxWorkers = 100'000;

// The model of parallelism is null when it has errors.
void ResolveTensor(const Checker& check, const v1::Model* model, v1::Parallelism* p) {
  if (!p->has_tensor()) p->set_tensor(1);
  if (!check.Range("tensor", p->tensor(), 1, 1'024)) return;
  if (model == nullptr) return;
  const SplitSizes sizes = SplitSizesOf(*model);
  for (const int32_t heads : sizes.heads) {
    if (heads % p->tensor() == 0) continue;
    check.Error("tensor", absl::StrCat("is ", p->tensor(),
                                       "; it must divide the model's attention heads, ", heads));
    return;
  }
  for (const int32_t kv_heads : sizes.kv_heads) {
    if (kv_heads % p->tensor() == 0 || p->tensor() % kv_heads == 0) continue;
    check.Error("tensor",
                absl::StrCat("is ", p->tensor(), "; it must divide the model's KV heads, ",
                             kv_heads, ", or be a multiple of them"));
    return;
  }
}

void ResolvePipeline(const Checker& check, const v1::Model* model, v1::Parallelism* p) {
  if (p->has_pipeline() && check.Range("pipeline", p->pipeline(), 1, 1'024) && model != nullptr &&
      model->has_num_layers() && model->num_layers() % p->pipeline() != 0) {
    check.Error("pipeline",
                absl::StrCat("is ", p->pipeline(), "; it must divide the model's layers, ",
                             model->num_layers()));
  }
  if (p->pipeline() <= 1) {
    p->clear_pipeline();
    if (p->has_micro_batches()) {
      check.Warning("micro_batches", "is not used: it needs pipeline stages");
      p->clear_micro_batches();
    }
    return;
  }
  if (!p->has_micro_batches()) p->set_micro_batches(p->pipeline());
  check.Range("micro_batches", p->micro_batches(), 1, 1'024);
}

void ResolveExperts(const Checker& check, const v1::Model* model, v1::Parallelism* p) {
  if (p->has_expert() && check.Range("expert", p->expert(), 1, 1'024) && p->expert() > 1) {
    const std::vector<int32_t> experts =
        model == nullptr ? std::vector<int32_t>() : SplitSizesOf(*model).experts;
    const int64_t replicas = p->has_data() ? p->data() : 1;
    const bool lockstep = replicas > 1 && p->expert() == p->tensor() * replicas;
    if (p->expert() != p->tensor() && !lockstep) {
      std::string allowed = absl::StrCat("1 or equal to tensor, ", p->tensor());
      if (replicas > 1) absl::StrAppend(&allowed, ", or tensor x data, ", p->tensor() * replicas);
      check.Error("expert", absl::StrCat("is ", p->expert(), "; it must be ", allowed));
    } else if (lockstep && p->has_pipeline()) {
      check.Error("pipeline", "and replicas that share their experts do not go together");
    } else if (model == nullptr) {
      // Whether it has that many experts is not known.
    } else if (experts.empty()) {
      check.Error("expert", "needs a model with experts (model.moe)");
    } else if (const auto uneven = std::find_if(experts.begin(), experts.end(),
                                                [&](int32_t e) { return e % p->expert() != 0; });
               uneven != experts.end()) {
      check.Error("expert", absl::StrCat("is ", p->expert(),
                                         "; it must divide the model's experts, ", *uneven));
    }
  }
  if (p->expert() == 1) p->clear_expert();
}

// The devices of one worker, and its replicas. What is 1 stays or becomes absent, except tensor, so
// that specs without these fields keep their digest.
void ResolveParallelism(const std::string& path, const v1::Model* model, v1::Parallelism* p,
                        Findings* findings) {
  const Checker check(findings, path);
  ResolveTensor(check, model, p);
  ResolvePipeline(check, model, p);
  ResolveExperts(check, model, p);
  if (p->has_data()) check.Range("data", p->data(), 1, 100'000);
  if (p->data() == 1) p->clear_data();
}

// Settings of the group over those of the spec.
template <typename Message>
void Inherit(const Message& spec, Message* group) {
  Message merged = spec;
  merged.MergeFrom(*group);
  *group = std::move(merged);
}

bool NeedsFigures(const v1::WorkerGroup& group) {
  return PricesOperators(group.compute()) || !group.memory().has_kv_blocks();
}

// The front end is before all workers.
void DropFrontEnd(v1::Calibration* calibration) {
  calibration->clear_request_seconds();
  calibration->clear_response_seconds();
}

void CheckNoFrontEnd(const Checker& check, const v1::Calibration& calibration) {
  const char* field = calibration.has_request_seconds()    ? "request_seconds"
                      : calibration.has_response_seconds() ? "response_seconds"
                                                           : nullptr;
  if (field != nullptr) {
    check.Error(field,
                "is of the front end, which all workers share: give it in the spec's own "
                "calibration");
  }
}

void KeepFrontEnd(v1::Spec* spec) {
  v1::Calibration front;
  const v1::Calibration& given = spec->calibration();
  if (given.request_seconds() > 0) front.set_request_seconds(given.request_seconds());
  if (given.response_seconds() > 0) front.set_response_seconds(given.response_seconds());
  if (front.ByteSizeLong() > 0) {
    *spec->mutable_calibration() = front;
  } else {
    spec->clear_calibration();
  }
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
  if (group.initial_count() < group.count() && group.has_initial_count()) {
    check.Error("initial_count", kWhy);
  }
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

void ResolveGroup(const TracePolicy& policy, int index, v1::Spec* spec, Findings* findings) {
  v1::WorkerGroup* group = spec->mutable_workers(index);
  const Checker check(findings, absl::StrCat("workers[", index, "]"));
  check.Length("name", group->name(), 200);
  if (!group->has_count()) group->set_count(1);
  check.Range("count", group->count(), 1, kMaxWorkers);
  Inherit(spec->local_scheduler(), group->mutable_local_scheduler());
  Inherit(spec->memory(), group->mutable_memory());
  if (group->compute().backend_case() == v1::Compute::BACKEND_NOT_SET) {
    group->mutable_compute()->mutable_roofline();
  }
  // What a compute model that could not be read would need is not known.
  const bool known =
      !check.Broken("compute") && !check.Broken("memory") && !findings->Broken("memory");
  const bool figures = known && NeedsFigures(*group);
  if (group->has_model()) {
    ResolveModel(policy, check.Path("model"), figures, group->mutable_model(), findings);
  }
  const v1::Model& model = ModelOf(*spec, *group);
  const bool model_known = !findings->Broken(group->has_model() ? check.Path("model") : "model");
  ResolveParallelism(check.Path("parallelism"), model_known ? &model : nullptr,
                     group->mutable_parallelism(), findings);
  const bool operators = known && PricesOperators(group->compute());
  if (operators && TraitsOf(group->compute()).needs_tiles && model_known) CheckTiles(check, model);
  if (figures && !group->has_hardware()) {
    check.Missing("hardware", "is missing: name a preset (`tokensim catalog hardware`)");
  } else if (group->has_hardware()) {
    const v1::Parallelism& split = group->parallelism();
    const bool several = split.tensor() > 1 || split.pipeline() > 1 || split.expert() > 1;
    const HardwareNeeds needs = {.compute = operators,
                                 .tiled = TraitsOf(group->compute()).needs_tiles,
                                 .kernels = TraitsOf(group->compute()).needs_surfaces,
                                 .memory = known && !group->memory().has_kv_blocks(),
                                 .interconnect = operators && several};
    ResolveHardware(check.Path("hardware"), needs, group->mutable_hardware(), findings);
  }
  ResolveLocalScheduler(check.Path("local_scheduler"), model, group->mutable_local_scheduler(),
                        findings);
  ResolveMemory(check, group);
  ResolveCompute(policy, check, group);
  if (!group->has_calibration() && spec->has_calibration()) {
    *group->mutable_calibration() = spec->calibration();
    DropFrontEnd(group->mutable_calibration());
  } else if (group->has_calibration()) {
    const Checker at(findings, check.Path("calibration"));
    ResolveCalibration(policy, at, group->mutable_calibration());
    CheckNoFrontEnd(at, group->calibration());
  }
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
  if (spec->has_model()) {
    ResolveModel(policy, "model", needed, spec->mutable_model(), findings);
  } else if (needed) {
    findings->Missing("model", "is missing: name a preset (`tokensim catalog models`)");
  }
}

int64_t Replicas(const v1::WorkerGroup& group) {
  return group.parallelism().has_data() ? group.parallelism().data() : 1;
}

}  // namespace

const v1::Model& ModelOf(const v1::Spec& spec, const v1::WorkerGroup& group) {
  return group.has_model() ? group.model() : spec.model();
}

int64_t WorkersOf(const v1::WorkerGroup& group) { return group.count() * Replicas(group); }

int64_t InitialWorkersOf(const v1::WorkerGroup& group) {
  return (group.has_initial_count() ? group.initial_count() : group.count()) * Replicas(group);
}

void ResolveWorkers(const TracePolicy& policy, v1::Spec* spec, Findings* findings) {
  ResolveGlobalScheduler(spec, findings);
  if (spec->workers_size() == 0) {
    findings->Missing("workers", "is missing: at least one group of workers is needed");
  }
  if (spec->workers_size() > kMaxGroups) {
    findings->Error("workers", absl::StrCat("has ", spec->workers_size(), " groups; at most ",
                                            Grouped(kMaxGroups), " are allowed"));
    spec->clear_workers();
    return;
  }
  ResolveSharedModel(policy, spec, findings);
  if (spec->has_calibration()) {
    ResolveCalibration(policy, Checker(findings, "calibration"), spec->mutable_calibration());
  }
  int64_t workers = 0;
  for (int i = 0; i < spec->workers_size(); ++i) {
    v1::WorkerGroup* group = spec->mutable_workers(i);
    if (group->name().empty()) group->set_name(absl::StrCat("group", i));
    ResolveGroup(policy, i, spec, findings);
    workers += std::clamp<int64_t>(WorkersOf(*group), 0, 1'000'000'000);  // if in range
  }
  CheckNames(*spec, findings);
  if (workers > kMaxWorkers) {
    findings->Error("workers", absl::StrCat("are ", Grouped(workers), " in all; at most ",
                                            Grouped(kMaxWorkers), " are allowed"));
  }
  CheckRoles(*spec, findings);
  // Of the spec's calibration only the front end is not the groups'.
  if (spec->has_calibration()) KeepFrontEnd(spec);
  spec->clear_local_scheduler();
  spec->clear_memory();
}

}  // namespace tokensim
