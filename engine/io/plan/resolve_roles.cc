// Where workers are, what they do, and what happens at places of their work.
#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/nearest.h"
#include "engine/compute/compute_model.h"
#include "engine/io/plan/resolve.h"

namespace tokensim {
namespace {

constexpr int32_t kMaxNode = 99'999;
constexpr int32_t kMaxWorkersPerNode = 100'000;
constexpr int kMaxBreakpoints = 16;
constexpr int kMaxLayers = 1'000;
constexpr char kDispatch[] = "dispatch";
constexpr char kPrefill[] = "prefill";
constexpr char kIteration[] = "iteration";
constexpr char kLog[] = "log";
constexpr char kSubmit[] = "submit";
constexpr char kPutKv[] = "put_kv";
constexpr char kGetKv[] = "get_kv";

bool IsOperator(const std::string& place) {
  return place != kDispatch && place != kPrefill && place != kIteration;
}

// `submit` and `put_kv` make a prefill worker, `get_kv` a decode worker.
v1::Role RoleOfAction(const std::string& action) {
  if (action == kSubmit || action == kPutKv) return v1::ROLE_PREFILL;
  return action == kGetKv ? v1::ROLE_DECODE : v1::ROLE_UNSPECIFIED;
}

const char* RoleName(v1::Role role) {
  switch (role) {
    case v1::ROLE_PREFILL:
      return "prefill";
    case v1::ROLE_DECODE:
      return "decode";
    default:
      return "both";
  }
}

// Where an action may stand. Dispatches and ends of prefills have events of their own, so there is
// nothing to log at them.
std::string AllowedPlaces(const std::string& action) {
  if (action == kSubmit) return kPrefill;
  if (action == kGetKv) return kDispatch;
  return absl::StrCat(action == kPutKv ? kPrefill : kIteration, ", or an operator");
}

bool PlaceAllowed(const std::string& action, const std::string& after) {
  if (action == kSubmit) return after == kPrefill;
  if (action == kGetKv) return after == kDispatch;
  return IsOperator(after) || after == (action == kPutKv ? kPrefill : kIteration);
}

// The KV cache is sent layer by layer: whenever this operator of a layer is done.
void ResolveLayerwise(const Checker& check, const v1::Breakpoint& breakpoint,
                      v1::Network* network) {
  v1::KvTransfer* transfer = network->mutable_kv_transfer();
  if (!transfer->has_mode()) transfer->set_mode(v1::TRANSFER_MODE_LAYERWISE);
  if (transfer->mode() != v1::TRANSFER_MODE_LAYERWISE) {
    check.Error("action",
                "is put_kv after an operator, which sends the KV cache layer by layer, "
                "but network.kv_transfer.mode is not layerwise");
  }
  if (breakpoint.layers_size() > 0) {
    check.Error("layers", "are not allowed with put_kv: the KV cache of every layer is sent");
  }
}

void CheckLayers(const Checker& check, const v1::Breakpoint& breakpoint) {
  if (breakpoint.layers_size() > kMaxLayers) {
    check.Error("layers", absl::StrCat("has ", breakpoint.layers_size(), " entries; at most ",
                                       Grouped(kMaxLayers), " are allowed"));
  } else if (breakpoint.layers_size() > 0 && !IsOperator(breakpoint.after())) {
    check.Error("layers", absl::StrCat("are not allowed: ", breakpoint.after(),
                                       " is no operator of a layer"));
  }
}

bool CheckBreakpoint(const Checker& check, const v1::Breakpoint& breakpoint, v1::Network* network) {
  const std::string& after = breakpoint.after();
  const std::string& action = breakpoint.action();
  const std::vector<std::string> actions = {kLog, kSubmit, kPutKv, kGetKv};
  const int64_t errors = check.findings()->errors();
  check.Required("after", !after.empty(),
                 "allowed are dispatch, prefill, iteration and the operators of the model");
  if (std::find(actions.begin(), actions.end(), action) == actions.end()) {
    check.Error("action",
                absl::StrCat(action.empty() ? "is missing" : absl::StrCat("is ", Quote(action)),
                             "; allowed are ", absl::StrJoin(actions, ", ")));
  } else if (!after.empty() && !PlaceAllowed(action, after)) {
    check.Error("after", absl::StrCat("is ", Quote(after), "; with ", action, " allowed is ",
                                      AllowedPlaces(action)));
  } else if (action == kPutKv && IsOperator(after)) {
    ResolveLayerwise(check, breakpoint, network);
  }
  CheckLayers(check, breakpoint);
  return check.findings()->errors() == errors;
}

// Takes out what the role says by itself, and `submit` beside a `put_kv`, which holds it.
void DropImplied(v1::WorkerGroup* group) {
  auto* breakpoints = group->mutable_breakpoints();
  const bool sends = std::any_of(breakpoints->begin(), breakpoints->end(),
                                 [](const v1::Breakpoint& b) { return b.action() == kPutKv; });
  const auto implied = [sends](const v1::Breakpoint& b) {
    return (b.after() == kPrefill && b.action() == kPutKv) || b.action() == kGetKv ||
           (b.action() == kSubmit && sends);
  };
  breakpoints->erase(std::remove_if(breakpoints->begin(), breakpoints->end(), implied),
                     breakpoints->end());
}

// The role that the breakpoints make, if any, must be the one given.
void ApplyRole(const Checker& check, v1::Role implied, v1::WorkerGroup* group) {
  if (implied == v1::ROLE_UNSPECIFIED) return;
  if (group->role() == v1::ROLE_UNSPECIFIED) group->set_role(implied);
  if (group->role() != implied) {
    check.Error("role", absl::StrCat("is ", RoleName(group->role()), ", but breakpoints make it ",
                                     RoleName(implied)));
  }
}

struct OperatorInfo {
  std::string name;
  bool in_layer = false;
};

// What the worker's compute model can time, in the order it runs.
std::vector<OperatorInfo> OperatorsOf(const ComputeModel& compute) {
  const PrefillChunk chunk{.new_tokens = 1, .history = 0};
  const IterationShape everything{.decode_count = 1,
                                  .decode_context = 1,
                                  .sampled_count = 2,
                                  .prefill_tokens = 1,
                                  .prefill = {&chunk, 1}};
  std::vector<OperatorInfo> operators;
  for (const OperatorTime& op : compute.OperatorTimes(everything)) {
    const bool is_new =
        std::none_of(operators.begin(), operators.end(),
                     [&](const OperatorInfo& known) { return known.name == op.name; });
    if (is_new && IsOperator(op.name)) operators.push_back({op.name, op.layer >= 0});
  }
  return operators;
}

void CheckOperator(const Checker& check, const std::vector<OperatorInfo>& operators,
                   int32_t num_layers, const v1::Breakpoint& breakpoint) {
  const std::string& after = breakpoint.after();
  const auto found = std::find_if(operators.begin(), operators.end(),
                                  [&](const OperatorInfo& op) { return op.name == after; });
  if (found == operators.end()) {
    std::vector<std::string> names = {kDispatch, kPrefill, kIteration};
    for (const OperatorInfo& op : operators) names.push_back(op.name);
    check.NotFound("after", "place", after, names, kSpecInvalid);
    return;
  }
  if (!found->in_layer && (breakpoint.layers_size() > 0 || breakpoint.action() == kPutKv)) {
    check.Error("after", absl::StrCat("is ", after, ", which is not part of a layer"));
    return;
  }
  for (int i = 0; i < breakpoint.layers_size(); ++i) {
    check.Range(absl::StrCat("layers[", i, "]"), breakpoint.layers(i), 0, num_layers - 1);
  }
}

// What the KV caches of two groups must have in common to move between them. Weights may be stored
// in another type.
v1::Model KvLayout(const v1::Model& model) {
  v1::Model layout = model;
  layout.clear_name();
  layout.clear_source();
  layout.clear_weight_dtype();
  layout.clear_weight_dtypes();
  layout.clear_max_position_embeddings();
  return layout;
}

void CheckKvLayouts(const v1::Spec& spec, std::string_view why, Findings* findings) {
  const auto known = [&](int i) {
    const std::string path = absl::StrCat("workers[", i, "].");
    return !findings->Broken(path + "model") && !findings->Broken(path + "memory") &&
           !findings->Broken("memory") &&
           (spec.workers(i).has_model() || !findings->Broken("model"));
  };
  if (!known(0)) return;
  const v1::WorkerGroup& first = spec.workers(0);
  const std::string model = KvLayout(ModelOf(spec, first)).SerializeAsString();
  for (int i = 1; i < spec.workers_size(); ++i) {
    if (!known(i)) continue;
    const v1::WorkerGroup& group = spec.workers(i);
    const Checker check(findings, absl::StrCat("workers[", i, "]"));
    const std::string because =
        absl::StrCat("differs from that of workers[0], but ", std::string(why));
    if (KvLayout(ModelOf(spec, group)).SerializeAsString() != model) check.Error("model", because);
    if (group.memory().kv_cache_dtype() != first.memory().kv_cache_dtype()) {
      check.Error("memory.kv_cache_dtype", because);
    }
  }
}

}  // namespace

void ResolvePlacement(const Checker& check, int index, v1::WorkerGroup* group) {
  const int64_t node = group->has_node() ? group->node() : index;
  bool good = check.Range("node", node, 0, kMaxNode);
  const bool count_known = !check.Broken("count") && !check.Broken("parallelism");
  if (group->has_workers_per_node()) {
    good =
        check.Range("workers_per_node", group->workers_per_node(), 1, kMaxWorkersPerNode) && good;
    if (good && count_known) {
      const int64_t last = node + (WorkersOf(*group) - 1) / group->workers_per_node();
      if (last > kMaxNode) {
        check.Error(
            "workers_per_node",
            absl::StrCat("is ", group->workers_per_node(), ": the last worker would be on node ",
                         Grouped(last), "; the last one allowed is ", Grouped(kMaxNode)));
      }
    }
  }
  if (group->has_initial_count()) {
    check.Range("initial_count", group->initial_count(), 0,
                count_known ? group->count() : std::numeric_limits<int32_t>::max());
    if (group->initial_count() == group->count()) group->clear_initial_count();
  }
  if (node == index) group->clear_node();
}

void ResolveBreakpoints(const Checker& check, v1::Network* network, v1::WorkerGroup* group) {
  if (group->has_role() && (!v1::Role_IsValid(group->role()) || group->role() == 0)) {
    check.Error("role", "is not a role; allowed are both, prefill, decode");
  }
  if (group->breakpoints_size() > kMaxBreakpoints) {
    check.Error("breakpoints", absl::StrCat("has ", group->breakpoints_size(), " entries; at most ",
                                            kMaxBreakpoints, " are allowed"));
    return;
  }
  bool good = true;
  for (int i = 0; i < group->breakpoints_size(); ++i) {
    const Checker inner(check.findings(), check.Path(absl::StrCat("breakpoints[", i, "]")));
    good = CheckBreakpoint(inner, group->breakpoints(i), network) && good;
  }
  if (!good || check.Broken("breakpoints")) return;
  for (const v1::Breakpoint& breakpoint : group->breakpoints()) {
    ApplyRole(check, RoleOfAction(breakpoint.action()), group);
  }
  DropImplied(group);
  const auto puts = [](const v1::Breakpoint& b) { return b.action() == kPutKv; };
  if (std::count_if(group->breakpoints().begin(), group->breakpoints().end(), puts) > 1) {
    check.Error("breakpoints", "send a KV cache after more than one operator; allowed is one");
  }
  if (group->role() == v1::ROLE_BOTH) group->clear_role();
}

bool RolesKnown(const v1::Spec& spec, const Findings& findings) {
  for (int i = 0; i < spec.workers_size(); ++i) {
    const std::string path = absl::StrCat("workers[", i, "].");
    for (const char* field : {"role", "breakpoints", "count", "initial_count", "parallelism"}) {
      if (findings.Broken(path + field)) return false;
    }
  }
  return spec.workers_size() > 0 && !findings.Broken("global_scheduler.migrate_on_pressure");
}

void CheckRoles(const v1::Spec& spec, Findings* findings) {
  if (!RolesKnown(spec, *findings)) return;
  bool prefills = false;
  bool decodes = false;
  bool hands_on = false;
  for (const v1::WorkerGroup& group : spec.workers()) {
    hands_on = hands_on || group.role() == v1::ROLE_PREFILL;
    if (InitialWorkersOf(group) == 0) continue;
    prefills = prefills || group.role() != v1::ROLE_DECODE;
    decodes = decodes || group.role() != v1::ROLE_PREFILL;
  }
  if (!prefills) {
    findings->Error("workers",
                    "cannot prefill: no worker with role prefill or both serves from "
                    "the start");
  }
  if (!decodes) {
    findings->Error("workers",
                    "cannot decode: no worker with role decode or both serves from the "
                    "start");
  }
  const bool migrates = spec.global_scheduler().migrate_on_pressure();
  for (int i = 0; i < spec.workers_size(); ++i) {
    const v1::WorkerGroup& group = spec.workers(i);
    if (migrates && group.role() != v1::ROLE_PREFILL &&
        group.local_scheduler().async_scheduling_depth() > 1) {
      findings->Error(absl::StrCat("workers[", i, "].local_scheduler.async_scheduling_depth"),
                      "must be 1 with global_scheduler.migrate_on_pressure: a request whose token "
                      "is under way cannot leave");
    }
    if (group.role() == v1::ROLE_DECODE && !hands_on && !migrates) {
      findings->Warning(absl::StrCat("workers[", i, "].role"),
                        "is decode, but no group has role prefill: no request comes here");
    }
  }
  if (hands_on) {
    CheckKvLayouts(spec, "prefill workers hand their KV caches on", findings);
  } else if (spec.has_memory_pool()) {
    CheckKvLayouts(spec, "the memory pool is shared", findings);
  } else if (migrates) {
    CheckKvLayouts(spec, "requests migrate under pressure", findings);
  }
}

void CheckOperators(const v1::Spec& given, const GroupPlans& groups, Findings* findings) {
  for (int i = 0; i < static_cast<int>(groups.size()); ++i) {
    const v1::WorkerGroup& group = given.workers(i);
    const std::optional<WorkerPlan>& worker = groups[static_cast<size_t>(i)];
    if (!worker) continue;
    std::vector<OperatorInfo> operators;
    for (int b = 0; b < group.breakpoints_size(); ++b) {
      if (!IsOperator(group.breakpoints(b).after())) continue;
      if (operators.empty()) operators = OperatorsOf(*worker->compute);
      CheckOperator(Checker(findings, absl::StrCat("workers[", i, "].breakpoints[", b, "]")),
                    operators, worker->num_layers, group.breakpoints(b));
    }
  }
}

}  // namespace tokensim
