// MiMo V2: layers with windows have heads of their own; keys are wider than values.
#include <string>

#include "engine/io/model_config/families.h"

namespace tokensim {
namespace {

constexpr std::string_view kTypes[] = {"mimo_v2_flash"};

void Read(ConfigReader& config, v1::Model* model) {
  const int32_t layers = LayersOf(config);
  v1::Attention full = HeadsOf(config);
  full.set_value_head_dim(config.Get("v_head_dim", full.head_dim()));
  v1::Attention window = full;
  window.set_num_attention_heads(config.Get("swa_num_attention_heads", full.num_attention_heads()));
  window.set_num_kv_heads(config.Get("swa_num_key_value_heads", full.num_kv_heads()));
  window.set_head_dim(config.Get("swa_head_dim", full.head_dim()));
  window.set_value_head_dim(config.Get("swa_v_head_dim", full.value_head_dim()));
  window.set_sliding_window(config.Need("sliding_window"));
  const int32_t width = config.Need("moe_intermediate_size");
  const v1::Mlp experts =
      WithShared(ExpertsOf(config, width), config.Get("n_shared_experts", 0) * width);
  const v1::Mlp dense = DenseMlp(config.Need("intermediate_size"));
  const std::vector<int32_t> pattern = config.Numbers("hybrid_layer_pattern", layers);
  const std::vector<bool> with = LayersWithExperts(config, layers);
  LayerList list(model);
  for (size_t i = 0; i < with.size(); ++i) {
    const bool slides = i < pattern.size() && pattern[i] != 0;
    list.Add(slides ? window : full, with[i] ? experts : dense, 0);
  }
}

}  // namespace

const Family kMimoV2Family = {kTypes, Read};

}  // namespace tokensim
