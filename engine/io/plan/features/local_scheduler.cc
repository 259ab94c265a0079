#include "engine/io/plan/features/local_scheduler.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/io/plan/features/limits.h"
#include "engine/io/plan/fields.h"
#include "engine/io/plan/policy_fields.h"
#include "engine/policy/defaults.h"
#include "engine/policy/local/registry.h"
#include "engine/policy/order/registry.h"
#include "engine/policy/victim/registry.h"

namespace tokensim {
namespace {

constexpr int32_t kMaxBatchedTokens = 100'000'000;
constexpr int32_t kMaxSeqs = 1'000'000;
constexpr int64_t kUnboundedModelLen = 1'000'000;  // of a model that states no limit

constexpr FieldRule kSeqs[] = {Integer("max_num_seqs", 0, kMaxSeqs).Default(256)};
// A budget of 0, no limit, is for policies that need none.
constexpr FieldRule kBudget[] = {Integer("max_num_batched_tokens", 1, kMaxBatchedTokens)};
constexpr FieldRule kOptionalBudget[] = {Integer("max_num_batched_tokens", 0, kMaxBatchedTokens)};
constexpr FieldRule kAdmission[] = {Positive("max_memory_ratio", 1).Default(1)};
constexpr FieldRule kModes[] = {
    Integer("async_scheduling_depth", 1, 2).Default(1), Flag("loading_takes_slot").Default(1),
    Enumeration("preemption_mode", "a preemption mode").Default(v1::PREEMPTION_MODE_RECOMPUTE)};

void ResolveModelLen(const Checker& check, const v1::Model& model, v1::LocalScheduler* s) {
  const int64_t limit =
      model.has_max_position_embeddings() ? model.max_position_embeddings() : kUnboundedModelLen;
  if (!s->has_max_model_len()) {
    s->set_max_model_len(static_cast<int32_t>(limit));
  } else if (check.Range("max_model_len", s->max_model_len(), 2, kMaxLength) &&
             model.has_max_position_embeddings() && s->max_model_len() > limit) {
    check.Warning("max_model_len", absl::StrCat("is ", s->max_model_len(),
                                                ", beyond the model's context of ", limit));
  }
}

// One that does not split prompts needs a budget that takes the longest one.
int32_t DefaultBudget(const LocalSchedulerTraits& traits, const v1::LocalScheduler& s) {
  const int32_t budget = traits.default_budget;
  if (budget == 0 || traits.splits_prompts) return budget;
  return std::min(kMaxBatchedTokens, std::max(budget, s.max_model_len()));
}

void ResolveBatch(const Checker& check, const LocalSchedulerTraits& traits, v1::LocalScheduler* s) {
  const bool has_budget = traits.default_budget > 0;
  if (!s->has_max_num_batched_tokens()) {
    s->set_max_num_batched_tokens(DefaultBudget(traits, *s));
  }
  // No limit of its own: as many as may decode a token in one iteration.
  if (s->has_max_num_seqs() && s->max_num_seqs() == 0) {
    const int32_t budget = s->max_num_batched_tokens();
    s->set_max_num_seqs(has_budget ? std::clamp(budget, 1, kMaxSeqs) : kMaxSeqs);
  }
  const bool seqs = ResolveFields(check, kSeqs, s);
  const bool tokens = ResolveFields(check, has_budget ? kBudget : kOptionalBudget, s);
  if (has_budget && seqs && tokens && s->max_num_batched_tokens() < s->max_num_seqs()) {
    check.Error("max_num_batched_tokens",
                absl::StrCat("is ", s->max_num_batched_tokens(), "; with ", s->policy(),
                             " it must be at least max_num_seqs, ", s->max_num_seqs(),
                             ": every running request may decode a token"));
  }
}

// None for a policy that is not known.
std::vector<const PolicyInfo*> Chosen(const PolicyInfo* policy) {
  return policy == nullptr ? std::vector<const PolicyInfo*>() : std::vector{policy};
}

// The policies by name and their parameters.
void ResolvePolicies(const Checker& check, v1::LocalScheduler* s) {
  const LocalSchedulerEntry* policy_entry = LocalSchedulers().Find(s->policy());
  const std::string order = s->queue_order().empty() ? kDefaultQueueOrder : s->queue_order();
  const QueueOrderEntry* order_entry = QueueOrders().Find(order);
  bool known = CheckPolicyName(check, "queue_order", order, QueueOrders());
  // Of an unknown order the victim is not known, unless it is named.
  const std::string default_victim(known ? DefaultVictim(order_entry->traits) : "");
  const std::string victim =
      s->preemption_victim().empty() ? default_victim : s->preemption_victim();
  const VictimEntry* victim_entry = Victims().Find(victim);
  if (!victim.empty()) known &= CheckPolicyName(check, "preemption_victim", victim, Victims());
  known &= policy_entry != nullptr;
  const int64_t errors = check.findings()->errors();
  ResolveParameters(
      check,
      {Choice(LocalSchedulers(), Chosen(policy_entry)), Choice(QueueOrders(), Chosen(order_entry)),
       Choice(Victims(), Chosen(victim_entry))},
      s);
  if (!known) return;
  if (check.findings()->errors() == errors) {
    CheckTogether(check, *policy_entry, *s);
    CheckTogether(check, *order_entry, *s);
    CheckTogether(check, *victim_entry, *s);
  }
  s->set_queue_order(order);
  s->set_preemption_victim(victim);
}

void ResolveAdmission(const Checker& check, v1::LocalScheduler* s) {
  if (!s->has_watermark()) s->set_watermark(TraitsOf(*s).default_watermark);
  if (!(s->watermark() >= 0 && s->watermark() < 1)) {
    check.Error("watermark",
                absl::StrCat("is ", s->watermark(), "; it must be at least 0 and below 1"));
  }
  ResolveFields(check, kAdmission, s);
}

bool FillsBatches(const v1::LocalScheduler& s) {
  const LocalSchedulerEntry* entry = LocalSchedulers().Find(s.policy());
  return entry != nullptr && entry->traits.fills_batches != nullptr &&
         entry->traits.fills_batches(ReadParameters(*entry, s));
}

// A batch that waits until it is full must have a size.
void ResolveWaiting(const Checker& check, bool has_size, v1::LocalScheduler* s) {
  if (has_size || !FillsBatches(*s)) return;
  check.Error("max_num_seqs", absl::StrCat("is 0, no limit, but the policy ", s->policy(),
                                           " waits here until so many requests are there; allowed "
                                           "are 1 .. 1,000,000"));
}

// "chunked does".
std::string ThoseThatFormAhead() {
  std::vector<std::string> names;
  for (const LocalSchedulerEntry* entry : LocalSchedulers().entries()) {
    if (entry->traits.forms_ahead) names.emplace_back(entry->name);
  }
  return absl::StrCat(absl::StrJoin(names, ", "), names.size() == 1 ? " does" : " do");
}

void ResolveModes(const Checker& check, v1::LocalScheduler* s) {
  ResolveFields(check, kModes, s);
  const bool known = LocalSchedulers().Find(s->policy()) != nullptr;
  const int32_t depth = s->async_scheduling_depth();
  if (!check.Broken("async_scheduling_depth") && depth > 1 && known && !TraitsOf(*s).forms_ahead) {
    check.Error("async_scheduling_depth",
                absl::StrCat("is ", depth, ", but the policy ", s->policy(),
                             " does not form batches ahead; ", ThoseThatFormAhead()));
  }
}

}  // namespace

LocalSchedulerTraits TraitsOf(const v1::LocalScheduler& scheduler) {
  const LocalSchedulerEntry* entry = LocalSchedulers().Find(scheduler.policy());
  return entry == nullptr ? LocalSchedulerTraits{} : entry->traits;
}

void ResolveLocalScheduler(const std::string& path, const v1::Model& model, v1::LocalScheduler* s,
                           Findings* findings) {
  const Checker check(findings, path);
  if (s->policy().empty()) s->set_policy(kDefaultLocalScheduler);
  CheckPolicyName(check, "policy", s->policy(), LocalSchedulers());
  ResolveModelLen(check, model, s);
  const bool unlimited = s->has_max_num_seqs() && s->max_num_seqs() == 0;
  ResolveBatch(check, TraitsOf(*s), s);
  ResolvePolicies(check, s);
  ResolveWaiting(check, /*has_size=*/!unlimited, s);
  ResolveAdmission(check, s);
  ResolveModes(check, s);
}

LocalSchedulerConfig CompileLocalScheduler(const v1::LocalScheduler& scheduler) {
  LocalSchedulerConfig config;
  config.policy = ConfigurePolicy(LocalSchedulers(), scheduler.policy(), scheduler);
  config.queue_order = ConfigurePolicy(QueueOrders(), scheduler.queue_order(), scheduler);
  config.victim = ConfigurePolicy(Victims(), scheduler.preemption_victim(), scheduler);
  config.max_num_seqs = scheduler.max_num_seqs();
  config.max_num_batched_tokens = scheduler.max_num_batched_tokens();
  config.watermark = scheduler.watermark();
  config.max_memory_ratio = scheduler.max_memory_ratio();
  config.loading_takes_slot = scheduler.loading_takes_slot();
  config.async_depth = scheduler.async_scheduling_depth();
  if (scheduler.preemption_mode() == v1::PREEMPTION_MODE_SWAP) {
    config.preemption = PreemptionMode::kSwap;
  }
  return config;
}

}  // namespace tokensim
