#include "engine/io/plan/features/roles.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/model.h"
#include "engine/io/plan/features/placement.h"

namespace tokensim {
namespace {

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

bool HasRole(const v1::Spec& spec, v1::Role role) {
  return std::any_of(spec.workers().begin(), spec.workers().end(),
                     [role](const v1::WorkerGroup& group) { return group.role() == role; });
}

}  // namespace

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

bool HandsOn(const v1::Spec& spec) {
  return HasRole(spec, v1::ROLE_PREFILL) || spec.global_scheduler().migrate_on_pressure();
}

bool MovesKvCaches(const v1::Spec& spec) { return HandsOn(spec) || HasRole(spec, v1::ROLE_DECODE); }

Role ToRole(v1::Role role) {
  switch (role) {
    case v1::ROLE_PREFILL:
      return Role::kPrefill;
    case v1::ROLE_DECODE:
      return Role::kDecode;
    default:
      return Role::kBoth;
  }
}

}  // namespace tokensim
