#include "engine/io/plan/features/model.h"

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/layers.h"
#include "engine/io/plan/features/limits.h"
#include "engine/io/plan/files.h"
#include "engine/io/plan/model_import.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

// `fields` on top of `base`. Lists of layers and types of parts are not mixed with those of the
// base: a spec that says one type of all weights means all.
v1::Model On(v1::Model base, const v1::Model& fields) {
  if (!fields.layers().empty()) base.clear_layers();
  if (fields.has_weight_dtype()) base.clear_weight_dtypes();
  base.MergeFrom(fields);
  return base;
}

void ExpandPreset(const Checker& check, v1::Model* model) {
  if (model->preset().empty()) return;
  const v1::Model* preset = FindModelPreset(model->preset());
  if (preset == nullptr) {
    check.NotFound("preset", "model preset", model->preset(), ModelPresetNames());
    return;
  }
  v1::Model expanded = On(*preset, *model);
  if (expanded.name().empty()) expanded.set_name(model->preset());
  expanded.clear_preset();
  *model = std::move(expanded);
}

// The file that the model names, in place of a preset.
void ExpandConfig(const TracePolicy& policy, const Checker& check, v1::Model* model) {
  if (model->config().empty()) return;
  if (!model->preset().empty()) {
    check.Error("config", "and preset do not go together");
    return;
  }
  const std::string name = model->config();
  const auto path = LocateFile(policy, name, "config");
  if (!path.ok()) {
    check.Error("config", std::string(path.status().message()));
    return;
  }
  const absl::StatusOr<v1::Model> read = ReadModelFile(*path, v1::DATA_TYPE_UNSPECIFIED);
  if (!read.ok()) {
    check.Error("config", ReadError(policy, *path, name, read.status()));
    return;
  }
  *model = On(*read, *model);
  model->clear_config();
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
  if (m.has_mtp_layers()) check.Range("mtp_layers", m.mtp_layers(), 0, 100);
  if (m.has_weight_dtype()) CheckDataType(check, "weight_dtype", m.weight_dtype());
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
    if (!m->layers().empty()) return;  // which may need none
    check.Missing("head_dim", absl::StrCat("is missing: hidden_size ", m->hidden_size(),
                                           " is not a multiple of num_attention_heads ", heads));
    return;
  }
  m->set_head_dim(m->hidden_size() / heads);
}

void RequireFigures(const Checker& check, const v1::Model& m) {
  constexpr char kHint[] = "give it or a preset (`tokensim catalog models`)";
  const bool layers = !m.layers().empty();
  if (!layers) check.Required("num_layers", m.has_num_layers(), kHint);
  check.Required("hidden_size", m.has_hidden_size(), kHint);
  if (!layers) {
    check.Required("num_attention_heads", m.has_num_attention_heads(), kHint);
    check.Required("intermediate_size", m.has_intermediate_size(), kHint);
  }
  check.Required("vocab_size", m.has_vocab_size(), kHint);
}

}  // namespace

void ResolveModel(const TracePolicy& policy, const std::string& path, bool required,
                  v1::Model* model, Findings* findings) {
  const Checker check(findings, path);
  const int64_t errors = findings->errors();
  ExpandConfig(policy, check, model);
  if (findings->errors() == errors) ExpandPreset(check, model);
  const bool expanded = findings->errors() == errors;
  CheckFigures(check, *model);
  ResolveHeads(check, model);
  if (model->has_moe()) {
    ResolveMoe(Checker(findings, check.Path("moe")), model->mutable_moe());
  }
  if (!model->has_gated_mlp()) model->set_gated_mlp(true);
  if (!model->has_tie_word_embeddings()) model->set_tie_word_embeddings(false);
  if (!model->has_weight_dtype()) model->set_weight_dtype(v1::DATA_TYPE_BF16);
  if (model->mtp_layers() == 0) model->clear_mtp_layers();
  if (expanded) {
    ResolveLayers(check, model);
    ResolveWeightDtypes(check, model);
  }
  if (required && expanded) RequireFigures(check, *model);
}

}  // namespace tokensim
