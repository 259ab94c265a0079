#include "engine/io/model_config/families.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace tokensim {

void LayerList::Add(const v1::Attention& attention, const v1::Mlp& mlp, int64_t extra_parameters) {
  ++size_;
  v1::LayerGroup layer;
  *layer.mutable_attention() = attention;
  *layer.mutable_mlp() = mlp;
  if (extra_parameters > 0) layer.set_extra_parameters(extra_parameters);
  const std::string key = layer.SerializeAsString();
  for (v1::LayerGroup& group : *model_->mutable_layers()) {
    const int32_t count = group.count();
    group.clear_count();
    const bool alike = group.SerializeAsString() == key;
    group.set_count(count + (alike ? 1 : 0));
    if (alike) return;
  }
  layer.set_count(1);
  *model_->add_layers() = std::move(layer);
}

std::span<const Family* const> Families() {
  static constexpr std::array kFamilies = {
      &kDenseFamily,    &kExpertsFamily,     &kDeepSeekFamily, &kDeepSeekV4Family, &kGemmaFamily,
      &kGptOssFamily,   &kKimiLinearFamily,  &kLlama4Family,   &kMiniMaxFamily,    &kMimoV2Family,
      &kNemotronFamily, &kNemotronNasFamily, &kOptFamily,      &kQwenHybridFamily, &kStepFamily};
  return kFamilies;
}

int32_t LayersOf(ConfigReader& config) {
  const int32_t layers = config.Need({"num_hidden_layers", "n_layer"});
  if (layers <= 1'000) return layers;
  config.Problem(absl::StrCat("num_hidden_layers is ", layers, "; allowed are 1 .. 1,000"));
  return 1;
}

v1::Attention HeadsOf(ConfigReader& config) {
  const int32_t heads = config.Need("num_attention_heads");
  const int32_t hidden = config.Need("hidden_size");
  v1::Attention a;
  a.set_num_attention_heads(heads);
  a.set_num_kv_heads(
      std::max(1, config.Get({"num_key_value_heads", "num_attention_groups"}, heads)));
  const int32_t head_dim = config.Get({"head_dim", "attention_head_dim"}, 0);
  if (head_dim == 0 && hidden % heads != 0) {
    config.Problem("head_dim is missing: hidden_size is not a multiple of num_attention_heads");
  }
  a.set_head_dim(head_dim > 0 ? head_dim : std::max(1, hidden / heads));
  return a;
}

int64_t AttentionBias(const v1::Attention& a, int32_t hidden, bool output) {
  const int64_t heads = int64_t{a.num_attention_heads()} + 2 * int64_t{a.num_kv_heads()};
  return heads * a.head_dim() + (output ? hidden : 0);
}

v1::Mlp DenseMlp(int32_t width, bool gated) {
  v1::Mlp mlp;
  mlp.set_intermediate_size(width);
  if (!gated) mlp.set_gated(false);
  return mlp;
}

v1::Mlp ExpertsOf(ConfigReader& config, int32_t width) {
  v1::Mlp mlp = DenseMlp(width);
  v1::MixtureOfExperts* moe = mlp.mutable_moe();
  moe->set_num_experts(
      config.Need({"num_experts", "moe_num_experts", "n_routed_experts", "num_local_experts"}));
  moe->set_experts_per_token(config.Need({"num_experts_per_tok", "num_experts_per_token",
                                          "top_k_experts", "moe_topk", "experts_per_token"}));
  return mlp;
}

v1::Mlp WithShared(v1::Mlp experts, int32_t width) {
  if (width > 0) experts.mutable_moe()->set_shared_intermediate_size(width);
  return experts;
}

std::vector<bool> LayersWithExperts(ConfigReader& config, int32_t layers) {
  const auto count = static_cast<size_t>(layers);
  std::vector<bool> with(count, true);
  const std::vector<std::string> types = config.Texts("mlp_layer_types", layers);
  if (!types.empty()) {
    for (size_t i = 0; i < count; ++i) with[i] = types[i] == "sparse";
    return with;
  }
  const int32_t dense = config.Get("first_k_dense_replace", 0);
  for (size_t i = 0; i < count && i < static_cast<size_t>(dense); ++i) with[i] = false;
  const bool listed = config.Has("moe_layer_freq") && config.IsList("moe_layer_freq");
  if (listed) {
    const std::vector<int32_t> flags = config.Numbers("moe_layer_freq", layers);
    for (size_t i = 0; i < count && i < flags.size(); ++i) with[i] = flags[i] != 0;
  }
  const int32_t step = std::max(1, listed ? 1 : config.Get("moe_layer_freq", 1));
  const int32_t sparse_step =
      std::max(1, config.Get({"decoder_sparse_step", "interleave_moe_layer_step"}, 1));
  for (size_t i = 0; i < count; ++i) {
    const auto layer = static_cast<int32_t>(i);
    if (layer % step != 0 || (layer + 1) % sparse_step != 0) with[i] = false;
  }
  for (const int32_t layer : config.Numbers("mlp_only_layers")) {
    if (layer < layers) with[static_cast<size_t>(layer)] = false;
  }
  return with;
}

}  // namespace tokensim
