// The global scheduler of a spec.
//
// Fields that came after the first version have one more rule: what is not used, or says what holds
// anyway, is left out of the resolved spec, so that a spec keeps the digest it had before them.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/resolve.h"
#include "engine/policy/global/global_scheduler.h"
#include "engine/run/plan.h"

namespace tokensim {
namespace {

constexpr char kDefaultPolicy[] = "round_robin";
constexpr char kDefaultTransferPolicy[] = "least_kv";

const GlobalPolicyInfo* FindPolicy(const std::string& name) {
  for (const GlobalPolicyInfo& info : GlobalSchedulers()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

void CheckPolicy(const Checker& check, std::string_view field, const std::string& name) {
  if (FindPolicy(name) != nullptr) return;
  std::vector<std::string> names;
  for (const GlobalPolicyInfo& info : GlobalSchedulers()) names.emplace_back(info.name);
  check.NotFound(field, "global scheduler", name, names);
}

// Some worker hands requests on.
bool HasTransfers(const v1::Spec& spec) {
  const auto hands_on = [](const v1::WorkerGroup& group) {
    return group.role() == v1::ROLE_PREFILL ||
           std::any_of(group.breakpoints().begin(), group.breakpoints().end(),
                       [](const v1::Breakpoint& breakpoint) {
                         return breakpoint.action() == "submit" || breakpoint.action() == "put_kv";
                       });
  };
  return std::any_of(spec.workers().begin(), spec.workers().end(), hands_on);
}

void ResolveWeights(const Checker& check, v1::ScorerWeights* w) {
  if (!w->has_queue_depth()) w->set_queue_depth(1);
  if (!w->has_kv_use()) w->set_kv_use(1);
  if (!w->has_prefix_hit()) w->set_prefix_hit(1);
  if (!w->has_load()) w->set_load(1);
  constexpr double kMax = 1e6;
  const int64_t errors = check.findings()->errors();
  check.NotNegative("queue_depth", w->queue_depth(), kMax);
  check.NotNegative("kv_use", w->kv_use(), kMax);
  check.NotNegative("prefix_hit", w->prefix_hit(), kMax);
  check.NotNegative("load", w->load(), kMax);
  const double sum = w->queue_depth() + w->kv_use() + w->prefix_hit() + w->load();
  if (check.findings()->errors() == errors && !(sum > 0)) {
    check.Error("", "are all 0; at least one must be above 0");
  }
}

void ResolveLoadFactor(const Checker& check, v1::GlobalScheduler* g) {
  constexpr char kField[] = "affinity_load_factor";
  if (!g->has_affinity_load_factor()) g->set_affinity_load_factor(2);
  const double factor = g->affinity_load_factor();
  constexpr double kMax = 1e6;
  if (check.Positive(kField, factor, kMax) && factor <= 1) {
    check.Error(kField, absl::StrCat("is ", factor, "; it must be above 1: a worker with the mean",
                                     " load could take no request"));
  }
}

// What belongs to some policies only.
void ResolvePolicyFields(const Checker& check, v1::GlobalScheduler* g) {
  const auto uses = [g](std::string_view policy) {
    return g->policy() == policy || g->transfer_policy() == policy;
  };
  if (uses("weighted")) {
    ResolveWeights(Checker(check.findings(), check.Path("weights")), g->mutable_weights());
  } else if (g->has_weights()) {
    check.Warning("weights", "are not used: only the policy weighted has weights");
    g->clear_weights();
  }
  if (uses("prefix_affinity") || uses("session_affinity")) {
    ResolveLoadFactor(check, g);
  } else if (g->has_affinity_load_factor()) {
    check.Warning("affinity_load_factor",
                  "is not used: only prefix_affinity and session_affinity have it");
    g->clear_affinity_load_factor();
  }
}

void ResolveSignalDelay(const Checker& check, v1::GlobalScheduler* g) {
  constexpr char kField[] = "signal_delay_seconds";
  constexpr double kShortest = 1e-6;
  const double delay = g->signal_delay_seconds();
  if (!check.NotNegative(kField, delay, kMaxSimulatedSeconds)) return;
  if (delay == 0) {
    g->clear_signal_delay_seconds();
  } else if (delay < kShortest) {
    check.Error(kField, "must be 0 (the present) or at least 1us");
  }
}

GlobalSchedulerConfig ToConfig(const v1::Spec& resolved, const std::string& policy,
                               const char* stream) {
  const v1::GlobalScheduler& g = resolved.global_scheduler();
  GlobalSchedulerConfig config;
  if (const GlobalPolicyInfo* info = FindPolicy(policy)) config.policy = info->policy;
  if (g.has_weights()) {
    const v1::ScorerWeights& w = g.weights();
    config.weights = {w.queue_depth(), w.kv_use(), w.prefix_hit(), w.load()};
  }
  if (g.has_affinity_load_factor()) config.affinity_load_factor = g.affinity_load_factor();
  config.seed = static_cast<uint64_t>(resolved.seed());
  config.stream = stream;
  return config;
}

}  // namespace

void ResolveGlobalScheduler(v1::Spec* spec, Findings* findings) {
  const Checker check(findings, "global_scheduler");
  v1::GlobalScheduler* g = spec->mutable_global_scheduler();
  if (g->policy().empty()) g->set_policy(kDefaultPolicy);
  CheckPolicy(check, "policy", g->policy());
  const bool transfers = HasTransfers(*spec);
  if (transfers && g->transfer_policy().empty()) g->set_transfer_policy(kDefaultTransferPolicy);
  if (!g->transfer_policy().empty()) CheckPolicy(check, "transfer_policy", g->transfer_policy());
  ResolveSignalDelay(check, g);
  ResolvePolicyFields(check, g);
  if (!transfers && g->transfer_policy() == kDefaultTransferPolicy) g->clear_transfer_policy();
  if (!g->intra_node_first()) g->clear_intra_node_first();
  if (!g->migrate_on_pressure()) g->clear_migrate_on_pressure();
}

void CompileGlobalScheduler(const v1::Spec& resolved, Plan* plan) {
  const v1::GlobalScheduler& g = resolved.global_scheduler();
  const std::string& transfer = g.transfer_policy();
  plan->global_scheduler = ToConfig(resolved, g.policy(), "dispatch");
  plan->transfer_scheduler =
      ToConfig(resolved, transfer.empty() ? kDefaultTransferPolicy : transfer, "transfer");
  plan->intra_node_first = g.intra_node_first();
  plan->signal_delay = FromSeconds(g.signal_delay_seconds());
  plan->migrate_on_pressure = g.migrate_on_pressure();
}

}  // namespace tokensim
