// Mixtures of experts with full attention of heads: Mixtral and its like, Qwen3, GLM-4.5.
#include <algorithm>
#include <string>

#include "engine/io/model_config/families.h"

namespace tokensim {
namespace {

constexpr std::string_view kTypes[] = {"mixtral",   "granitemoe",        "phimoe",
                                       "qwen3_moe", "qwen3_vl_moe_text", "glm4_moe"};

void Read(ConfigReader& config, v1::Model* model) {
  const std::string type = config.model_type();
  const bool mixtral = type == "mixtral" || type == "granitemoe" || type == "phimoe";
  const int32_t layers = LayersOf(config);
  const int32_t hidden = config.Need("hidden_size");
  const int32_t width =
      mixtral ? config.Need("intermediate_size") : config.Need("moe_intermediate_size");
  v1::Attention attention = HeadsOf(config);
  const v1::Mlp experts =
      WithShared(ExpertsOf(config, width), config.Get("n_shared_experts", 0) * width);
  int64_t extra = 0;
  if (config.Flag("attention_bias", false)) {
    extra += AttentionBias(attention, hidden, type == "phimoe");
  }
  if (type == "phimoe") extra += 2 * int64_t{hidden};  // biases of norms
  const bool norms_heads = type.starts_with("qwen3") || config.Flag("use_qk_norm", false);
  if (norms_heads) extra += 2 * int64_t{attention.head_dim()};
  const int32_t window = config.Get("sliding_window", 0);
  if (mixtral && window > 0) attention.set_sliding_window(window);

  const std::vector<bool> with = LayersWithExperts(config, layers);
  LayerList list(model);
  for (const bool has_experts : with) {
    if (has_experts) {
      const int64_t bias = type == "glm4_moe" ? experts.moe().num_experts() : 0;  // of routing
      list.Add(attention, experts, extra + bias);
    } else {
      list.Add(attention, DenseMlp(config.Need("intermediate_size")), extra);
    }
  }
}

}  // namespace

const Family kExpertsFamily = {kTypes, Read};

}  // namespace tokensim
