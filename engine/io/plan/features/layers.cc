#include "engine/io/plan/features/layers.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/model_plan.h"
#include "engine/io/plan/fields.h"

namespace tokensim {
namespace {

constexpr int kMaxGroups = 100;
constexpr int32_t kMaxLayers = 1'000;
constexpr int32_t kMaxHeads = 10'000;
constexpr int32_t kMaxHeadDim = 65'536;
constexpr int32_t kMaxWidth = 10'000'000;
constexpr int32_t kMaxTokens = 1'000'000'000;

const std::vector<std::string>& AttentionKinds() {
  static const auto* kinds =
      new std::vector<std::string>{"heads", "latent", "mamba2", "gated_delta", "kda", "none"};
  return *kinds;
}

// A field of a kind that is not the attention's has no effect, and is likely a mistake.
template <typename Message>
class Fields {
 public:
  Fields(const Checker& check, const Message& message) : check_(check), message_(message) {}

  void OnlyOf(const char* kind, std::initializer_list<const char*> fields) const {
    for (const char* field : fields) {
      const auto* descriptor = Message::descriptor()->FindFieldByName(field);
      if (!Message::GetReflection()->HasField(message_, descriptor)) continue;
      check_.Error(field, absl::StrCat("is of attention of kind ", kind, " only"));
    }
  }

 private:
  const Checker& check_;
  const Message& message_;
};

// Of attention or an MLP of kind none.
template <typename Message>
void RemoveAllButKind(const Checker& check, Message* message) {
  const std::string kind = message->kind();
  message->clear_kind();
  RemoveUnused(check, "", "kind is none", message);
  message->set_kind(kind);
}

void ResolveIndex(const Checker& check, v1::Attention* a) {
  if (!a->has_index()) return;
  v1::SparseIndex* index = a->mutable_index();
  constexpr char kWhat[] = "what the index picks by";
  if (check.Required("index.top_k", index->has_top_k(), "how many tokens the index picks")) {
    check.Range("index.top_k", index->top_k(), 1, 1'000'000);
  }
  if (!index->has_shared()) index->set_shared(false);
  if (index->shared()) {
    for (const auto& [given, field] : {std::pair(index->has_num_heads(), "index.num_heads"),
                                       std::pair(index->has_head_dim(), "index.head_dim"),
                                       std::pair(index->has_key_bytes(), "index.key_bytes")}) {
      if (given) check.Error(field, "is of the other layer's index; shared is true");
    }
    return;
  }
  if (check.Required("index.num_heads", index->has_num_heads(), kWhat)) {
    check.Range("index.num_heads", index->num_heads(), 1, kMaxHeads);
  }
  if (check.Required("index.head_dim", index->has_head_dim(), kWhat)) {
    check.Range("index.head_dim", index->head_dim(), 1, kMaxHeadDim);
  }
  if (!index->has_key_bytes()) index->set_key_bytes(4.0 + index->head_dim());
  check.NotNegative("index.key_bytes", index->key_bytes(), 1e6);
}

void ResolveWindow(const Checker& check, v1::Attention* a) {
  if (a->has_sliding_window()) check.Range("sliding_window", a->sliding_window(), 1, kMaxTokens);
  if (a->has_chunk()) check.Range("chunk", a->chunk(), 1, kMaxTokens);
  if (a->has_sliding_window() && a->has_chunk()) {
    check.Error("chunk", "and sliding_window do not go together");
  }
}

void ResolveHeads(const Checker& check, const v1::Model& model, v1::Attention* a) {
  if (!a->has_num_attention_heads() && model.has_num_attention_heads()) {
    a->set_num_attention_heads(model.num_attention_heads());
  }
  if (!check.Required("num_attention_heads", a->has_num_attention_heads(),
                      "give it here or to the model") ||
      !check.Range("num_attention_heads", a->num_attention_heads(), 1, kMaxHeads)) {
    return;
  }
  const int32_t heads = a->num_attention_heads();
  if (!a->has_num_kv_heads()) {
    const bool models = model.has_num_kv_heads() && heads == model.num_attention_heads();
    a->set_num_kv_heads(models ? model.num_kv_heads() : heads);
  }
  if (check.Range("num_kv_heads", a->num_kv_heads(), 1, heads) && heads % a->num_kv_heads() != 0) {
    check.Error("num_kv_heads", absl::StrCat("is ", a->num_kv_heads(),
                                             "; it must divide num_attention_heads, ", heads));
  }
  if (!a->has_head_dim() && model.has_head_dim()) a->set_head_dim(model.head_dim());
  if (!a->has_values_are_keys()) a->set_values_are_keys(false);
  check.Required("head_dim", a->has_head_dim(), "give it here or to the model");
  Fields(check, *a).OnlyOf("latent", {"query_rank", "kv_rank", "rope_dim", "direct", "compression",
                                      "output_rank", "output_groups"});
}

void ResolveLatent(const Checker& check, const v1::Model& model, v1::Attention* a) {
  if (!a->has_num_attention_heads() && model.has_num_attention_heads()) {
    a->set_num_attention_heads(model.num_attention_heads());
  }
  const auto required = [&](const char* field, bool given, const char* what, int64_t value,
                            int64_t min, int64_t max) {
    if (check.Required(field, given, what)) check.Range(field, value, min, max);
  };
  required("num_attention_heads", a->has_num_attention_heads(), "give it here or to the model",
           a->num_attention_heads(), 1, kMaxHeads);
  required("kv_rank", a->has_kv_rank(), "the size of the latent vector that is cached",
           a->kv_rank(), 1, kMaxWidth);
  if (!a->has_rope_dim()) a->set_rope_dim(0);
  check.Range("rope_dim", a->rope_dim(), 0, kMaxHeadDim);
  if (!a->has_direct()) a->set_direct(false);
  if (a->direct() && !a->has_head_dim()) a->set_head_dim(1);  // is not used
  check.Required("head_dim", a->has_head_dim(), "of queries and keys without position");
  if (!a->has_query_rank()) a->set_query_rank(0);
  check.Range("query_rank", a->query_rank(), 0, kMaxWidth);
  if (!a->has_compression()) a->set_compression(1);
  check.Range("compression", a->compression(), 1, 1'000);
  if (a->compression() > 1 && !a->has_sliding_window()) {
    check.Missing("sliding_window", "is missing: tokens that are not compressed");
  }
  if (!a->has_output_rank()) a->set_output_rank(0);
  check.Range("output_rank", a->output_rank(), 0, kMaxWidth);
  if (!a->has_output_groups()) a->set_output_groups(1);
  if (check.Range("output_groups", a->output_groups(), 1, kMaxHeads) &&
      a->num_attention_heads() % a->output_groups() != 0) {
    check.Error("output_groups",
                absl::StrCat("is ", a->output_groups(), "; it must divide num_attention_heads, ",
                             a->num_attention_heads()));
  }
  Fields(check, *a).OnlyOf("heads", {"num_kv_heads", "values_are_keys"});
}

// A latent or heads attention.
void ResolveSoftmax(const Checker& check, const v1::Model& model, v1::Attention* a) {
  if (a->kind() == "heads") {
    ResolveHeads(check, model, a);
  } else {
    ResolveLatent(check, model, a);
  }
  if (a->has_head_dim()) check.Range("head_dim", a->head_dim(), 1, kMaxHeadDim);
  if (!a->has_value_head_dim() && a->has_head_dim()) a->set_value_head_dim(a->head_dim());
  if (a->has_value_head_dim()) check.Range("value_head_dim", a->value_head_dim(), 1, kMaxHeadDim);
  if (!a->has_output_gate()) a->set_output_gate(false);
  ResolveWindow(check, a);
  ResolveIndex(check, a);
  Fields(check, *a).OnlyOf("mamba2, gated_delta and kda", {"state"});
}

void ResolveState(const Checker& check, v1::Attention* a) {
  Fields(check, *a).OnlyOf(
      "heads or latent",
      {"num_attention_heads", "num_kv_heads", "head_dim", "value_head_dim", "sliding_window",
       "chunk", "output_gate", "values_are_keys", "index", "query_rank", "kv_rank", "rope_dim",
       "direct", "compression", "output_rank", "output_groups"});
  v1::LinearState* state = a->mutable_state();
  const auto required = [&](const char* field, bool given, int64_t value, int64_t max) {
    if (check.Required(field, given, "the shape of the state")) check.Range(field, value, 1, max);
  };
  required("state.num_heads", state->has_num_heads(), state->num_heads(), kMaxHeads);
  if (!state->has_num_key_heads() && state->has_num_heads()) {
    state->set_num_key_heads(state->num_heads());
  }
  if (state->has_num_key_heads()) {
    check.Range("state.num_key_heads", state->num_key_heads(), 1, kMaxHeads);
  }
  required("state.key_dim", state->has_key_dim(), state->key_dim(), kMaxHeadDim);
  required("state.value_dim", state->has_value_dim(), state->value_dim(), kMaxHeadDim);
  if (!state->has_conv_kernel()) state->set_conv_kernel(4);
  check.Range("state.conv_kernel", state->conv_kernel(), 0, 1'000);
  if (!state->has_dtype()) state->set_dtype(v1::DATA_TYPE_FP32);
  if (state->dtype() < v1::DATA_TYPE_FP32 || state->dtype() > v1::DATA_TYPE_FP16) {
    check.Error("state.dtype", "is not the type of a state; allowed are fp32, bf16, fp16");
  }
}

void ResolveAttention(const Checker& check, const v1::Model& model, v1::Attention* a) {
  if (a->kind().empty()) a->set_kind("heads");
  const std::vector<std::string>& kinds = AttentionKinds();
  if (std::find(kinds.begin(), kinds.end(), a->kind()) == kinds.end()) {
    check.NotFound("kind", "kind of attention", a->kind(), kinds, kSpecInvalid);
    return;
  }
  if (a->kind() == "none") {
    RemoveAllButKind(check, a);
  } else if (a->kind() == "heads" || a->kind() == "latent") {
    ResolveSoftmax(check, model, a);
  } else {
    ResolveState(check, a);
  }
}

void ResolveMlp(const Checker& check, const v1::Model& model, bool given, v1::Mlp* mlp) {
  if (!given && model.has_moe()) *mlp->mutable_moe() = model.moe();
  if (mlp->kind().empty()) mlp->set_kind(mlp->has_moe() ? "experts" : "dense");
  if (mlp->kind() == "none") {
    RemoveAllButKind(check, mlp);
    return;
  }
  if (mlp->kind() == "experts" && !mlp->has_moe()) {
    if (!check.Required("moe", model.has_moe(), "give it here or to the model")) return;
    *mlp->mutable_moe() = model.moe();
  } else if (mlp->kind() == "dense" && mlp->has_moe()) {
    check.Error("moe", "is of an MLP of kind experts only");
  } else if (mlp->kind() != "experts" && mlp->kind() != "dense") {
    check.NotFound("kind", "kind of MLP", mlp->kind(), {"dense", "experts", "none"}, kSpecInvalid);
    return;
  }
  if (!mlp->has_intermediate_size() && model.has_intermediate_size()) {
    mlp->set_intermediate_size(model.intermediate_size());
  }
  if (check.Required("intermediate_size", mlp->has_intermediate_size(),
                     "give it here or to the model")) {
    check.Range("intermediate_size", mlp->intermediate_size(), 1, kMaxWidth);
  }
  if (!mlp->has_gated()) mlp->set_gated(model.gated_mlp());
  if (mlp->has_moe()) {
    ResolveMoe(Checker(check.findings(), check.Path("moe")), mlp->mutable_moe());
  }
}

}  // namespace

void ResolveMoe(const Checker& check, v1::MixtureOfExperts* moe) {
  const bool total =
      check.Required("num_experts", moe->has_num_experts(), "how many experts a layer has");
  const bool active = check.Required("experts_per_token", moe->has_experts_per_token(),
                                     "how many experts a token is sent to");
  if (total && active && check.Range("num_experts", moe->num_experts(), 2, 10'000)) {
    check.Range("experts_per_token", moe->experts_per_token(), 1, moe->num_experts());
  }
  check.Range("shared_intermediate_size", moe->shared_intermediate_size(), 0, kMaxWidth);
  check.Range("latent_size", moe->latent_size(), 0, kMaxWidth);
  if (moe->shared_intermediate_size() == 0) moe->clear_shared_intermediate_size();
  if (moe->latent_size() == 0) moe->clear_latent_size();
}

void CheckDataType(const Checker& check, std::string_view field, v1::DataType type) {
  if (v1::DataType_IsValid(type) && type != v1::DATA_TYPE_UNSPECIFIED) return;
  check.Error(field,
              "is not a data type; allowed are fp32, bf16, fp16, fp8, int8, int4, fp8_block, "
              "mxfp4, nvfp4, int4_g128, int4_g32");
}

void ResolveLayers(const Checker& check, v1::Model* model) {
  if (model->layers().empty()) return;
  if (model->layers_size() > kMaxGroups) {
    check.Error("layers", absl::StrCat("has ", model->layers_size(), " groups; at most ",
                                       kMaxGroups, " are allowed"));
    return;
  }
  int64_t layers = 0;
  bool counted = true;
  for (int i = 0; i < model->layers_size(); ++i) {
    v1::LayerGroup* group = model->mutable_layers(i);
    const Checker at(check.findings(), check.Path(absl::StrCat("layers[", i, "]")));
    if (!group->has_count()) group->set_count(1);
    counted = at.Range("count", group->count(), 1, kMaxLayers) && counted;
    layers += group->count();
    if (!group->has_extra_parameters()) group->set_extra_parameters(0);
    at.Range("extra_parameters", group->extra_parameters(), 0, int64_t{1} << 50);
    ResolveAttention(Checker(check.findings(), at.Path("attention")), *model,
                     group->mutable_attention());
    const bool has_mlp = group->has_mlp();
    ResolveMlp(Checker(check.findings(), at.Path("mlp")), *model, has_mlp, group->mutable_mlp());
    if (group->attention().kind() == "none" && group->mlp().kind() == "none") {
      at.Error("mlp", "and attention are none: nothing is left of the layers");
    }
  }
  if (!counted) return;
  if (layers > kMaxLayers) {
    check.Error("layers",
                absl::StrCat("are ", layers, " in all; at most ", kMaxLayers, " are allowed"));
  } else if (model->has_num_layers() && model->num_layers() != layers) {
    check.Error("num_layers", absl::StrCat("is ", model->num_layers(),
                                           ", but the groups of layers "
                                           "have ",
                                           layers));
  } else {
    model->set_num_layers(static_cast<int32_t>(layers));
  }
}

void ResolveWeightDtypes(const Checker& check, v1::Model* model) {
  if (!model->has_weight_dtypes()) return;
  v1::WeightDtypes* parts = model->mutable_weight_dtypes();
  if (parts->ByteSizeLong() == 0) return model->clear_weight_dtypes();  // it says nothing
  bool dense = false;
  bool experts = false;
  bool shared = false;
  for (const v1::LayerGroup& group : LayerGroupsOf(*model)) {
    const v1::Mlp& mlp = group.mlp();
    dense = dense || mlp.kind() == "dense";
    experts = experts || mlp.has_moe();
    shared = shared || mlp.moe().shared_intermediate_size() > 0;
  }
  const auto& reflection = *v1::WeightDtypes::GetReflection();
  const auto resolve = [&](const char* name, bool applies) {
    const auto* field = v1::WeightDtypes::descriptor()->FindFieldByName(name);
    const bool given = reflection.HasField(*parts, field);
    if (given) {
      const int type = reflection.GetEnumValue(*parts, field);
      CheckDataType(check, absl::StrCat("weight_dtypes.", name), static_cast<v1::DataType>(type));
    } else if (applies) {
      reflection.SetEnumValue(parts, field, model->weight_dtype());
    }
    if (given && !applies) {
      RemoveUnused(Checker(check.findings(), check.Path("weight_dtypes")), name,
                   "the model has no such part", parts);
    }
  };
  for (const char* name : {"attention", "embedding", "head", "norms"}) resolve(name, true);
  resolve("mlp", dense);
  resolve("shared_experts", shared);
  resolve("experts", experts);
  resolve("router", experts);
  if (parts->ByteSizeLong() == 0) model->clear_weight_dtypes();
}

}  // namespace tokensim
