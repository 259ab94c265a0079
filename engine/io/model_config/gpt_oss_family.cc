// gpt-oss: windows and full attention alternate, with sinks and biases. Biases of experts, 0.03 % of
// all, are left out.
#include <string>

#include "engine/io/model_config/families.h"

namespace tokensim {
namespace {

constexpr std::string_view kTypes[] = {"gpt_oss"};

void Read(ConfigReader& config, v1::Model* model) {
  const int32_t layers = LayersOf(config);
  const int32_t hidden = config.Need("hidden_size");
  const v1::Attention full = HeadsOf(config);
  v1::Attention window = full;
  window.set_sliding_window(config.Need("sliding_window"));
  const v1::Mlp experts = ExpertsOf(config, config.Need("intermediate_size"));
  const int64_t extra =
      AttentionBias(full, hidden, true) + full.num_attention_heads() + experts.moe().num_experts();
  const std::vector<std::string> types = config.Texts("layer_types", layers);
  LayerList list(model);
  for (int32_t i = 0; i < layers; ++i) {
    const bool slides =
        types.empty() ? i % 2 == 0 : types[static_cast<size_t>(i)] == "sliding_attention";
    list.Add(slides ? window : full, experts, extra);
  }
}

}  // namespace

const Family kGptOssFamily = {kTypes, Read};

}  // namespace tokensim
