#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "engine/spec/resolve.h"

namespace tokensim {
namespace {

constexpr int kMaxGroups = 1'000;
constexpr int64_t kMaxWorkers = 100'000;

void ResolveAffine(const Checker& check, v1::Affine* a) {
  if (!a->has_iteration_seconds()) a->set_iteration_seconds(0);
  if (!a->has_prefill_token_seconds()) a->set_prefill_token_seconds(0);
  if (!a->has_decode_token_seconds()) a->set_decode_token_seconds(0);
  if (!a->has_context_token_seconds()) a->set_context_token_seconds(0);
  const int64_t errors = check.findings()->errors();
  constexpr double kMaxPerToken = 1;
  check.NotNegative("iteration_seconds", a->iteration_seconds(), 1e6);
  check.NotNegative("prefill_token_seconds", a->prefill_token_seconds(), kMaxPerToken);
  check.NotNegative("decode_token_seconds", a->decode_token_seconds(), kMaxPerToken);
  check.NotNegative("context_token_seconds", a->context_token_seconds(), kMaxPerToken);
  const double sum = a->iteration_seconds() + a->prefill_token_seconds() +
                     a->decode_token_seconds() + a->context_token_seconds();
  if (check.findings()->errors() == errors && !(sum > 0)) {
    check.Error("", "every cost is 0; at least one must be above 0");
  }
}

void ResolveTensor(const Checker& check, const v1::Model& model, v1::Parallelism* p) {
  if (!p->has_tensor()) p->set_tensor(1);
  if (!check.Range("tensor", p->tensor(), 1, 1'024) || !model.has_num_attention_heads()) return;
  const int32_t heads = model.num_attention_heads();
  const int32_t kv_heads = model.num_kv_heads();
  if (heads % p->tensor() != 0) {
    check.Error("tensor", absl::StrCat("is ", p->tensor(),
                                       "; it must divide the model's attention heads, ", heads));
  } else if (kv_heads > 0 && kv_heads % p->tensor() != 0 && p->tensor() % kv_heads != 0) {
    check.Error("tensor",
                absl::StrCat("is ", p->tensor(), "; it must divide the model's KV heads, ",
                             kv_heads, ", or be a multiple of them"));
  }
}

void ResolvePipeline(const Checker& check, const v1::Model& model, v1::Parallelism* p) {
  if (p->has_pipeline() && check.Range("pipeline", p->pipeline(), 1, 1'024) &&
      model.has_num_layers() && model.num_layers() % p->pipeline() != 0) {
    check.Error("pipeline",
                absl::StrCat("is ", p->pipeline(), "; it must divide the model's layers, ",
                             model.num_layers()));
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

void ResolveExperts(const Checker& check, const v1::Model& model, v1::Parallelism* p) {
  if (p->has_expert() && check.Range("expert", p->expert(), 1, 1'024) && p->expert() > 1) {
    const int32_t experts = model.moe().num_experts();
    if (p->expert() != p->tensor()) {
      check.Error("expert", absl::StrCat("is ", p->expert(), "; it must be 1 or equal to tensor, ",
                                         p->tensor()));
    } else if (!model.has_moe()) {
      check.Error("expert", "needs a model with experts (model.moe)");
    } else if (experts % p->expert() != 0) {
      check.Error("expert", absl::StrCat("is ", p->expert(),
                                         "; it must divide the model's experts, ", experts));
    }
  }
  if (p->expert() == 1) p->clear_expert();
}

// The devices of one worker, and its replicas. What is 1 stays or becomes absent, except tensor, so
// that specs without these fields keep their digest.
void ResolveParallelism(const std::string& path, const v1::Model& model, v1::Parallelism* p,
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
  return !group.compute().has_affine() || !group.memory().has_kv_blocks();
}

void ResolveGroup(int index, v1::Spec* spec, Findings* findings) {
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
  if (group->compute().has_affine()) {
    ResolveAffine(Checker(findings, check.Path("compute.affine")),
                  group->mutable_compute()->mutable_affine());
  }
  const bool figures = NeedsFigures(*group);
  if (group->has_model()) {
    ResolveModel(check.Path("model"), figures, group->mutable_model(), findings);
  }
  const v1::Model& model = ModelOf(*spec, *group);
  ResolveParallelism(check.Path("parallelism"), model, group->mutable_parallelism(), findings);
  const bool tiled = group->compute().has_tiled();
  const bool roofline = group->compute().has_roofline() || tiled;
  if (figures && !group->has_hardware()) {
    check.Error("hardware", "is missing: name a preset (`tokensim catalog hardware`)");
  } else if (group->has_hardware()) {
    const HardwareNeeds needs = {.compute = roofline,
                                 .tiled = tiled,
                                 .memory = !group->memory().has_kv_blocks(),
                                 .interconnect = roofline && (group->parallelism().tensor() > 1 ||
                                                              group->parallelism().pipeline() > 1)};
    ResolveHardware(check.Path("hardware"), needs, group->mutable_hardware(), findings);
  }
  ResolveLocalScheduler(check.Path("local_scheduler"), model, group->mutable_local_scheduler(),
                        findings);
  ResolveMemory(check, group);
  ResolvePlacement(check, index, group);
  ResolveBreakpoints(check, spec->mutable_network(), group);
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
void ResolveSharedModel(v1::Spec* spec, Findings* findings) {
  bool needed = false;
  for (const v1::WorkerGroup& group : spec->workers()) {
    v1::WorkerGroup merged = group;
    Inherit(spec->memory(), merged.mutable_memory());
    needed = needed || (!group.has_model() && NeedsFigures(merged));
  }
  if (spec->has_model()) {
    ResolveModel("model", needed, spec->mutable_model(), findings);
  } else if (needed) {
    findings->Error("model", "is missing: name a preset (`tokensim catalog models`)");
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

void ResolveWorkers(v1::Spec* spec, Findings* findings) {
  ResolveGlobalScheduler(spec, findings);
  if (spec->workers_size() == 0) {
    findings->Error("workers", "is missing: at least one group of workers is needed");
  }
  if (spec->workers_size() > kMaxGroups) {
    findings->Error("workers", absl::StrCat("has ", spec->workers_size(), " groups; at most ",
                                            Grouped(kMaxGroups), " are allowed"));
    return;
  }
  ResolveSharedModel(spec, findings);
  int64_t workers = 0;
  for (int i = 0; i < spec->workers_size(); ++i) {
    v1::WorkerGroup* group = spec->mutable_workers(i);
    if (group->name().empty()) group->set_name(absl::StrCat("group", i));
    ResolveGroup(i, spec, findings);
    workers += std::clamp<int64_t>(WorkersOf(*group), 0, 1'000'000'000);  // if in range
  }
  CheckNames(*spec, findings);
  if (workers > kMaxWorkers) {
    findings->Error("workers", absl::StrCat("are ", Grouped(workers), " in all; at most ",
                                            Grouped(kMaxWorkers), " are allowed"));
  }
  if (findings->errors() == 0) CheckRoles(*spec, findings);
  spec->clear_local_scheduler();
  spec->clear_memory();
}

}  // namespace tokensim
