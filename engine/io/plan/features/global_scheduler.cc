// The global scheduler of a spec.
//
// Fields that came after the first version have one more rule: what is not used, or says what holds
// anyway, is left out of the resolved spec, so that a spec keeps the digest it had before them.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/policy_fields.h"
#include "engine/io/plan/resolve.h"
#include "engine/policy/defaults.h"
#include "engine/policy/global/registry.h"
#include "engine/run/plan.h"

namespace tokensim {
namespace {

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

// Both policies have their parameters in one message: each takes its own.
void ResolvePolicies(const Checker& check, v1::GlobalScheduler* g) {
  std::vector<const GlobalSchedulerEntry*> chosen;
  bool known = CheckPolicyName(check, "policy", g->policy(), GlobalSchedulers());
  if (known) chosen.push_back(GlobalSchedulers().Find(g->policy()));
  if (!g->transfer_policy().empty()) {
    if (CheckPolicyName(check, "transfer_policy", g->transfer_policy(), GlobalSchedulers())) {
      chosen.push_back(GlobalSchedulers().Find(g->transfer_policy()));
    } else {
      known = false;
    }
  }
  if (!known) return;
  const int64_t errors = check.findings()->errors();
  ResolveParameters(check, {Choice(GlobalSchedulers(), {chosen.begin(), chosen.end()})}, g);
  if (check.findings()->errors() > errors) return;
  if (chosen.size() > 1 && chosen[0] == chosen[1]) chosen.pop_back();
  for (const GlobalSchedulerEntry* entry : chosen) CheckTogether(check, *entry, *g);
}

}  // namespace

void ResolveGlobalScheduler(v1::Spec* spec, Findings* findings) {
  const Checker check(findings, "global_scheduler");
  v1::GlobalScheduler* g = spec->mutable_global_scheduler();
  if (g->policy().empty()) g->set_policy(kDefaultGlobalScheduler);
  const bool transfers = HasTransfers(*spec);
  if (transfers && g->transfer_policy().empty()) g->set_transfer_policy(kDefaultTransferScheduler);
  ResolveSignalDelay(check, g);
  ResolvePolicies(check, g);
  if (!transfers && g->transfer_policy() == kDefaultTransferScheduler) g->clear_transfer_policy();
  if (!g->intra_node_first()) g->clear_intra_node_first();
  if (!g->migrate_on_pressure()) g->clear_migrate_on_pressure();
}

void CompileGlobalScheduler(const v1::Spec& resolved, Plan* plan) {
  const v1::GlobalScheduler& g = resolved.global_scheduler();
  const std::string& transfer = g.transfer_policy();
  plan->global_scheduler = ConfigurePolicy(GlobalSchedulers(), g.policy(), g);
  plan->transfer_scheduler = ConfigurePolicy(
      GlobalSchedulers(), transfer.empty() ? kDefaultTransferScheduler : transfer, g);
  plan->intra_node_first = g.intra_node_first();
  plan->signal_delay = FromSeconds(g.signal_delay_seconds());
  plan->migrate_on_pressure = g.migrate_on_pressure();
}

}  // namespace tokensim
