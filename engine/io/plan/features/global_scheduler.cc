#include "engine/io/plan/features/global_scheduler.h"

#include <string>
#include <vector>

#include "engine/io/plan/features/roles.h"
#include "engine/io/plan/fields.h"
#include "engine/io/plan/policy_fields.h"
#include "engine/policy/defaults.h"
#include "engine/policy/global/registry.h"

namespace tokensim {
namespace {

constexpr FieldRule kFields[] = {
    NotNegative("signal_delay_seconds", kMaxSimulatedSeconds).Default(0),  // 0: the present
    Flag("migrate_on_pressure").Default(0)};
// With workers that hand requests on.
constexpr FieldRule kTransfers[] = {Flag("intra_node_first").Default(0)};
constexpr char kNoTransfers[] = "no worker hands its requests on";
constexpr double kShortestDelay = 1e-6;  // a shorter one would be many refreshes and no difference

// Both policies have their parameters in one message: each takes its own.
void ResolvePolicies(const Checker& check, v1::GlobalScheduler* g) {
  std::vector<const GlobalSchedulerEntry*> chosen;
  const auto choose = [&](const char* field, const std::string& name) {
    if (name.empty() || !CheckPolicyName(check, field, name, GlobalSchedulers())) return;
    chosen.push_back(GlobalSchedulers().Find(name));
  };
  const int64_t errors = check.findings()->errors();
  choose("policy", g->policy());
  choose("transfer_policy", g->transfer_policy());
  // Of an unknown policy the parameters are not known.
  const bool known = check.findings()->errors() == errors;
  if (!known) chosen.clear();
  ResolveParameters(check, {Choice(GlobalSchedulers(), {chosen.begin(), chosen.end()})}, g);
  if (check.findings()->errors() > errors) return;
  if (chosen.size() > 1 && chosen[0] == chosen[1]) chosen.pop_back();
  for (const GlobalSchedulerEntry* entry : chosen) CheckTogether(check, *entry, *g);
}

void ResolveTransfers(const Checker& check, bool transfers, v1::GlobalScheduler* g) {
  if (transfers) {
    if (g->transfer_policy().empty()) g->set_transfer_policy(kDefaultTransferScheduler);
    ResolveFields(check, kTransfers, g);
    return;
  }
  RemoveUnused(check, kTransfers, kNoTransfers, g);
  const std::string& name = g->transfer_policy();
  if (name.empty() || !CheckPolicyName(check, "transfer_policy", name, GlobalSchedulers())) {
    g->clear_transfer_policy();
  } else if (name == kDefaultTransferScheduler) {
    g->clear_transfer_policy();  // what holds anyway
  } else {
    RemoveUnused(check, "transfer_policy", kNoTransfers, g);
  }
}

}  // namespace

void ResolveGlobalScheduler(v1::Spec* spec, Findings* findings) {
  const Checker check(findings, "global_scheduler");
  v1::GlobalScheduler* g = spec->mutable_global_scheduler();
  if (g->policy().empty()) g->set_policy(kDefaultGlobalScheduler);
  if (ResolveFields(check, kFields, g) && g->signal_delay_seconds() > 0 &&
      g->signal_delay_seconds() < kShortestDelay) {
    check.Error("signal_delay_seconds", "must be 0 (the present) or at least 1us");
  }
  // When roles are not known, nothing is said to be unused.
  ResolveTransfers(check, HandsOn(*spec) || !RolesKnown(*spec, *findings), g);
  ResolvePolicies(check, g);
}

void CompileGlobalScheduler(const v1::Spec& resolved, Plan* plan) {
  const v1::GlobalScheduler& g = resolved.global_scheduler();
  plan->global_scheduler = ConfigurePolicy(GlobalSchedulers(), g.policy(), g);
  // Without transfers nobody asks it.
  plan->transfer_scheduler = ConfigurePolicy(
      GlobalSchedulers(),
      g.transfer_policy().empty() ? kDefaultTransferScheduler : g.transfer_policy(), g);
  plan->intra_node_first = g.intra_node_first();
  plan->signal_delay = FromSeconds(g.signal_delay_seconds());
  plan->migrate_on_pressure = g.migrate_on_pressure();
}

}  // namespace tokensim
