// Qwen3-Next and Qwen3.5: gated delta nets, and full attention in every fourth layer.
#include <algorithm>
#include <string>

#include "engine/io/model_config/families.h"

namespace tokensim {
namespace {

constexpr std::string_view kTypes[] = {"qwen3_next", "qwen3_5", "qwen3_5_text", "qwen3_5_moe",
                                       "qwen3_5_moe_text"};

v1::Attention DeltaOf(ConfigReader& config) {
  v1::Attention a;
  a.set_kind("gated_delta");
  v1::LinearState* state = a.mutable_state();
  state->set_num_heads(config.Need("linear_num_value_heads"));
  state->set_num_key_heads(config.Need("linear_num_key_heads"));
  state->set_key_dim(config.Need("linear_key_head_dim"));
  state->set_value_dim(config.Need("linear_value_head_dim"));
  state->set_conv_kernel(config.Get("linear_conv_kernel_dim", 4));
  return a;
}

void Read(ConfigReader& config, v1::Model* model) {
  const std::string type = config.model_type();
  const int32_t layers = LayersOf(config);
  const int32_t hidden = config.Need("hidden_size");
  v1::Attention full = HeadsOf(config);
  if (type == "qwen3_next" || config.Flag("attn_output_gate", true)) full.set_output_gate(true);
  const v1::Attention delta = DeltaOf(config);
  v1::Mlp experts;
  v1::Mlp dense;
  const bool has_experts = config.Get("num_experts", 0) > 0;
  if (has_experts) {
    experts = WithShared(ExpertsOf(config, config.Need("moe_intermediate_size")),
                         config.Get("shared_expert_intermediate_size", 0));
  }
  if (config.Has("intermediate_size") || !has_experts) {
    dense = DenseMlp(config.Need("intermediate_size"));
  }
  const int64_t shared_gate = experts.moe().shared_intermediate_size() > 0 ? hidden : 0;
  const int64_t full_norms = 2 * int64_t{full.head_dim()};
  const int64_t delta_vectors = 2 * int64_t{delta.state().num_heads()} + delta.state().value_dim();
  const std::vector<std::string> types = config.Texts("layer_types", layers);
  const int32_t interval = std::max(1, config.Get("full_attention_interval", 4));
  const std::vector<bool> with = has_experts
                                     ? LayersWithExperts(config, layers)
                                     : std::vector<bool>(static_cast<size_t>(layers), false);
  LayerList list(model);
  for (size_t i = 0; i < with.size(); ++i) {
    const bool is_full = types.empty() ? (static_cast<int32_t>(i) + 1) % interval == 0
                                       : types[i] == "full_attention";
    if (!with[i] && !dense.has_intermediate_size()) config.Problem("intermediate_size is missing");
    list.Add(is_full ? full : delta, with[i] ? experts : dense,
             (is_full ? full_norms : delta_vectors) + (with[i] ? shared_gate : 0));
  }
}

}  // namespace

const Family kQwenHybridFamily = {kTypes, Read};

}  // namespace tokensim
