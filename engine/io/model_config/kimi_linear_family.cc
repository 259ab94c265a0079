// Kimi Linear, Kimi K3: layers of Kimi delta attention and, some, of latent attention.
#include <algorithm>
#include <string>

#include "engine/io/model_config/latent.h"

namespace tokensim {
namespace {

constexpr std::string_view kTypes[] = {"kimi_linear"};

v1::Attention DeltaOf(const nlohmann::json& section, ConfigReader& config) {
  ConfigReader linear(section);
  v1::Attention a;
  a.set_kind("kda");
  v1::LinearState* state = a.mutable_state();
  state->set_num_heads(linear.Need("num_heads"));
  state->set_key_dim(linear.Need("head_dim"));
  state->set_value_dim(linear.Need("head_dim"));
  state->set_conv_kernel(linear.Get("short_conv_kernel_size", 4));
  if (!linear.status().ok()) {
    config.Problem("linear_attn_config: " + std::string(linear.status().message()));
  }
  return a;
}

void Read(ConfigReader& config, v1::Model* model) {
  const int32_t layers = LayersOf(config);
  const nlohmann::json* section = config.Object("linear_attn_config");
  if (section == nullptr) {
    config.Problem("linear_attn_config is missing");
    return;
  }
  const v1::Attention delta = DeltaOf(*section, config);
  v1::Attention full = LatentOf(config);
  if (config.Flag("mla_use_output_gate", false)) full.set_output_gate(true);
  const int32_t width = config.Need("moe_intermediate_size");
  v1::Mlp experts =
      WithShared(ExpertsOf(config, width), config.Get("num_shared_experts", 0) * width);
  if (const int32_t latent = config.Get("routed_expert_hidden_size", 0); latent > 0) {
    experts.mutable_moe()->set_latent_size(latent);
  }
  const v1::Mlp dense = DenseMlp(config.Need("intermediate_size"));
  const std::vector<int32_t> attends =
      ConfigReader(*section).Numbers("full_attn_layers");  // from 1
  const std::vector<bool> with = LayersWithExperts(config, layers);
  LayerList list(model);
  for (size_t i = 0; i < with.size(); ++i) {
    const bool is_full =
        std::find(attends.begin(), attends.end(), static_cast<int32_t>(i) + 1) != attends.end();
    list.Add(is_full ? full : delta, with[i] ? experts : dense, is_full ? LatentNorms(full) : 0);
  }
}

}  // namespace

const Family kKimiLinearFamily = {kTypes, Read};

}  // namespace tokensim
