#include "engine/io/plan/features/parallelism.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/model_plan.h"
#include "engine/io/plan/fields.h"

namespace tokensim {
namespace {

constexpr FieldRule kFields[] = {
    Integer("tensor", 1, 1'024).Default(1),    // divides the attention heads
    Integer("pipeline", 1, 1'024).Default(1),  // divides the layers
    Integer("data", 1, 100'000).Default(1),
    Integer("expert", 1, 1'024).Default(1)};  // tensor or tensor x data, divides the experts
// With pipeline stages; as many as stages unless given.
constexpr FieldRule kMicroBatches[] = {Integer("micro_batches", 1, 1'024)};

void CheckTensor(const Checker& check, const SplitSizes& sizes, const v1::Parallelism& p) {
  for (const int32_t heads : sizes.heads) {
    if (heads % p.tensor() == 0) continue;
    check.Error("tensor", absl::StrCat("is ", p.tensor(),
                                       "; it must divide the model's attention heads, ", heads));
    return;
  }
  for (const int32_t kv_heads : sizes.kv_heads) {
    if (kv_heads % p.tensor() == 0 || p.tensor() % kv_heads == 0) continue;
    check.Error("tensor", absl::StrCat("is ", p.tensor(), "; it must divide the model's KV heads, ",
                                       kv_heads, ", or be a multiple of them"));
    return;
  }
}

void ResolvePipeline(const Checker& check, const v1::Model* model, v1::Parallelism* p) {
  if (check.Broken("pipeline")) return;
  if (model != nullptr && model->has_num_layers() && model->num_layers() % p->pipeline() != 0) {
    check.Error("pipeline",
                absl::StrCat("is ", p->pipeline(), "; it must divide the model's layers, ",
                             model->num_layers()));
  }
  if (p->pipeline() == 1) {
    return RemoveUnused(check, kMicroBatches, "it needs pipeline stages", p);
  }
  if (!p->has_micro_batches()) p->set_micro_batches(p->pipeline());
  ResolveFields(check, kMicroBatches, p);
}

void CheckDivides(const Checker& check, const std::vector<int32_t>& experts, int32_t split) {
  if (experts.empty()) check.Error("expert", "needs a model with experts (model.moe)");
  for (const int32_t count : experts) {
    if (count % split == 0) continue;
    check.Error("expert",
                absl::StrCat("is ", split, "; it must divide the model's experts, ", count));
    return;
  }
}

// The model is null when it has errors.
void CheckExperts(const Checker& check, const v1::Model* model, const v1::Parallelism& p) {
  if (p.expert() == 1) return;
  const int64_t every = int64_t{p.tensor()} * p.data();
  const bool lockstep = p.data() > 1 && p.expert() == every;
  if (p.expert() != p.tensor() && !lockstep) {
    std::string allowed = absl::StrCat("1 or equal to tensor, ", p.tensor());
    if (p.data() > 1) absl::StrAppend(&allowed, ", or tensor x data, ", every);
    check.Error("expert", absl::StrCat("is ", p.expert(), "; it must be ", allowed));
  } else if (lockstep && p.pipeline() > 1) {
    check.Error("pipeline", "and replicas that share their experts do not go together");
  } else if (model == nullptr) {
    // Whether it has that many experts is not known.
  } else {
    CheckDivides(check, SplitSizesOf(*model).experts, p.expert());
  }
}

}  // namespace

void ResolveParallelism(const Checker& check, const v1::Model* model, v1::Parallelism* p) {
  ResolveFields(check, kFields, p);
  if (model != nullptr && !check.Broken("tensor")) CheckTensor(check, SplitSizesOf(*model), *p);
  ResolvePipeline(check, model, p);
  if (!check.Broken("tensor") && !check.Broken("data") && !check.Broken("expert")) {
    CheckExperts(check, model, *p);
  }
}

ParallelismConfig ToParallelism(const v1::Parallelism& parallelism) {
  ParallelismConfig config;
  config.tensor = parallelism.tensor();
  config.pipeline = parallelism.pipeline();
  config.expert = parallelism.expert();
  const bool shared = config.expert == int64_t{config.tensor} * parallelism.data();
  if (config.expert > 1 && shared) config.data = parallelism.data();
  if (parallelism.has_micro_batches()) config.micro_batches = parallelism.micro_batches();
  return config;
}

}  // namespace tokensim
