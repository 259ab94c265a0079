#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/resolve.h"
#include "engine/policy/local/local_scheduler.h"

namespace tokensim {
namespace {

constexpr int32_t kMaxBatchedTokens = 100'000'000;
constexpr int32_t kMaxSeqs = 1'000'000;
constexpr char kChunked[] = "chunked";
constexpr char kVllmV0[] = "vllm_v0";
constexpr char kSjf[] = "sjf";
constexpr char kDefaultOrder[] = "fcfs";

template <typename Infos>
void CheckName(const Checker& check, std::string_view field, std::string_view kind,
               const std::string& name, const Infos& infos) {
  std::vector<std::string> names;
  for (const auto& info : infos) {
    if (info.name == name) return;
    names.emplace_back(info.name);
  }
  check.NotFound(field, kind, name, names);
}

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

// vLLM's defaults: V1 splits prompts; V0 does not, so that its budget takes the longest one.
int32_t DefaultBudget(const v1::LocalScheduler& s) {
  if (s.policy() == kChunked) return 2'048;
  if (s.policy() == kVllmV0) return std::min(kMaxBatchedTokens, std::max(2'048, s.max_model_len()));
  return 0;
}

void ResolveBatch(const Checker& check, v1::LocalScheduler* s) {
  const bool chunked = s->policy() == kChunked;
  const bool has_budget = chunked || s->policy() == kVllmV0;
  if (!s->has_max_num_seqs()) s->set_max_num_seqs(256);
  if (!s->has_max_num_batched_tokens()) s->set_max_num_batched_tokens(DefaultBudget(*s));
  if (chunked && !s->has_reserve_full_prompt()) s->set_reserve_full_prompt(true);
  // No limit of its own: as many as may decode a token in one iteration.
  if (s->max_num_seqs() == 0) {
    const int32_t budget = s->max_num_batched_tokens();
    s->set_max_num_seqs(has_budget ? std::clamp(budget, 1, kMaxSeqs) : kMaxSeqs);
  }
  const bool seqs = check.Range("max_num_seqs", s->max_num_seqs(), 0, kMaxSeqs);
  const bool tokens = check.Range("max_num_batched_tokens", s->max_num_batched_tokens(),
                                  has_budget ? 1 : 0, kMaxBatchedTokens);
  if (has_budget && seqs && tokens && s->max_num_batched_tokens() < s->max_num_seqs()) {
    check.Error("max_num_batched_tokens",
                absl::StrCat("is ", s->max_num_batched_tokens(), "; with ", s->policy(),
                             " it must be at least max_num_seqs, ", s->max_num_seqs(),
                             ": every running request may decode a token"));
  }
}

void ResolveOrder(const Checker& check, v1::LocalScheduler* s) {
  const std::string order = s->queue_order().empty() ? kDefaultOrder : s->queue_order();
  CheckName(check, "queue_order", "queue order", order, QueueOrders());
  if (s->oracle_output_length() && order != kSjf) {
    check.Error(
        "oracle_output_length",
        absl::StrCat("is true, but only queue_order sjf could use it; queue_order is ", order));
  }
  if (order == kDefaultOrder) s->clear_queue_order();
  if (!s->oracle_output_length()) s->clear_oracle_output_length();
}

void ResolveAdmission(const Checker& check, v1::LocalScheduler* s) {
  const double watermark = s->watermark();
  if (!(watermark >= 0 && watermark < 1)) {
    check.Error("watermark", absl::StrCat("is ", watermark, "; it must be at least 0 and below 1"));
  }
  if (s->has_watermark() && watermark == DefaultWatermark(*s)) s->clear_watermark();
  if (s->has_max_memory_ratio()) {
    check.Positive("max_memory_ratio", s->max_memory_ratio(), 1);
    if (s->max_memory_ratio() == 1) s->clear_max_memory_ratio();
  }
}

void ResolveModes(const Checker& check, v1::LocalScheduler* s) {
  if (s->has_async_scheduling_depth()) {
    const int32_t depth = s->async_scheduling_depth();
    if (check.Range("async_scheduling_depth", depth, 1, 2) && depth > 1 &&
        s->policy() != kChunked) {
      check.Error("async_scheduling_depth",
                  absl::StrCat("is ", depth,
                               "; only the policy chunked forms batches ahead, and "
                               "the policy is ",
                               s->policy()));
    }
    if (depth == 1) s->clear_async_scheduling_depth();
  }
  if (s->has_preemption_mode() &&
      (!v1::PreemptionMode_IsValid(s->preemption_mode()) || s->preemption_mode() == 0)) {
    check.Error("preemption_mode", "is not a preemption mode; allowed are recompute, swap");
  }
  if (s->preemption_mode() == v1::PREEMPTION_MODE_RECOMPUTE) s->clear_preemption_mode();
}

}  // namespace

double DefaultWatermark(const v1::LocalScheduler& scheduler) {
  return scheduler.policy() == kVllmV0 ? 0.01 : 0;
}

void ResolveLocalScheduler(const std::string& path, const v1::Model& model, v1::LocalScheduler* s,
                           Findings* findings) {
  const Checker check(findings, path);
  if (s->policy().empty()) s->set_policy(kChunked);
  const int64_t errors = findings->errors();
  CheckName(check, "policy", "local scheduler", s->policy(), LocalSchedulers());
  if (findings->errors() > errors) return;
  ResolveModelLen(check, model, s);
  ResolveBatch(check, s);
  ResolveOrder(check, s);
  ResolveAdmission(check, s);
  ResolveModes(check, s);
}

}  // namespace tokensim
