#include "engine/io/plan/features/model.h"

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/limits.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

void ExpandPreset(const Checker& check, v1::Model* model) {
  if (model->preset().empty()) return;
  const v1::Model* preset = FindModelPreset(model->preset());
  if (preset == nullptr) {
    check.NotFound("preset", "model preset", model->preset(), ModelPresetNames());
    return;
  }
  v1::Model expanded = *preset;
  expanded.MergeFrom(*model);
  if (expanded.name().empty()) expanded.set_name(model->preset());
  expanded.clear_preset();
  *model = std::move(expanded);
}

void CheckFigures(const Checker& check, const v1::Model& m) {
  check.Length("name", m.name(), 200);
  check.Length("source", m.source(), 4000);
  if (m.has_num_layers()) check.Range("num_layers", m.num_layers(), 1, 1'000);
  if (m.has_hidden_size()) check.Range("hidden_size", m.hidden_size(), 1, 1'000'000);
  if (m.has_head_dim()) check.Range("head_dim", m.head_dim(), 1, 65'536);
  if (m.has_intermediate_size()) {
    check.Range("intermediate_size", m.intermediate_size(), 1, 10'000'000);
  }
  if (m.has_vocab_size()) check.Range("vocab_size", m.vocab_size(), 1, 10'000'000);
  if (m.has_max_position_embeddings()) {
    check.Range("max_position_embeddings", m.max_position_embeddings(), 2, kMaxLength);
  }
  if (m.has_weight_dtype() && (!v1::DataType_IsValid(m.weight_dtype()) || m.weight_dtype() == 0)) {
    check.Error("weight_dtype",
                "is not a data type; allowed are fp32, bf16, fp16, fp8, int8, int4");
  }
}

void ResolveHeads(const Checker& check, v1::Model* m) {
  if (!m->has_num_attention_heads()) return;
  const int32_t heads = m->num_attention_heads();
  if (!check.Range("num_attention_heads", heads, 1, 10'000)) return;
  if (!m->has_num_kv_heads()) m->set_num_kv_heads(heads);
  if (check.Range("num_kv_heads", m->num_kv_heads(), 1, heads) && heads % m->num_kv_heads() != 0) {
    check.Error("num_kv_heads", absl::StrCat("is ", m->num_kv_heads(),
                                             "; it must divide num_attention_heads, ", heads));
  }
  if (m->has_head_dim() || !m->has_hidden_size() || m->hidden_size() < 1) return;
  if (m->hidden_size() % heads != 0) {
    check.Missing("head_dim", absl::StrCat("is missing: hidden_size ", m->hidden_size(),
                                           " is not a multiple of num_attention_heads ", heads));
    return;
  }
  m->set_head_dim(m->hidden_size() / heads);
}

void ResolveExperts(const Checker& check, v1::Model* m) {
  if (!m->has_moe()) return;
  const v1::MixtureOfExperts& moe = m->moe();
  const bool total =
      check.Required("moe.num_experts", moe.has_num_experts(), "how many experts a layer has");
  const bool active = check.Required("moe.experts_per_token", moe.has_experts_per_token(),
                                     "how many experts a token is sent to");
  if (total && active && check.Range("moe.num_experts", moe.num_experts(), 2, 10'000)) {
    check.Range("moe.experts_per_token", moe.experts_per_token(), 1, moe.num_experts());
  }
}

}  // namespace

void ResolveModel(const std::string& path, bool required, v1::Model* model, Findings* findings) {
  const Checker check(findings, path);
  const int64_t errors = findings->errors();
  ExpandPreset(check, model);
  const bool expanded = findings->errors() == errors;
  CheckFigures(check, *model);
  ResolveHeads(check, model);
  ResolveExperts(check, model);
  if (!model->has_gated_mlp()) model->set_gated_mlp(true);
  if (!model->has_tie_word_embeddings()) model->set_tie_word_embeddings(false);
  if (!model->has_weight_dtype()) model->set_weight_dtype(v1::DATA_TYPE_BF16);
  if (!required || !expanded) return;
  constexpr char kHint[] = "give it or a preset (`tokensim catalog models`)";
  check.Required("num_layers", model->has_num_layers(), kHint);
  check.Required("hidden_size", model->has_hidden_size(), kHint);
  check.Required("num_attention_heads", model->has_num_attention_heads(), kHint);
  check.Required("intermediate_size", model->has_intermediate_size(), kHint);
  check.Required("vocab_size", model->has_vocab_size(), kHint);
}

}  // namespace tokensim
