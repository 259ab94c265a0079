// Step 3.7: windows in most layers, experts in all but the first.
#include <string>

#include "engine/io/model_config/families.h"

namespace tokensim {
namespace {

constexpr std::string_view kTypes[] = {"step3p7"};

void Read(ConfigReader& config, v1::Model* model) {
  const int32_t layers = LayersOf(config);
  const v1::Attention full = HeadsOf(config);
  v1::Attention window = full;
  window.set_sliding_window(config.Need("sliding_window"));
  const int32_t width = config.Need("moe_intermediate_size");
  const v1::Mlp experts = WithShared(ExpertsOf(config, width), config.Get({"share_expert_dim"}, 0));
  const v1::Mlp dense = DenseMlp(config.Need("intermediate_size"));
  const std::vector<std::string> types = config.Texts("layer_types", layers);
  const std::vector<bool> with = LayersWithExperts(config, layers);
  LayerList list(model);
  for (size_t i = 0; i < with.size(); ++i) {
    const bool slides = i < types.size() && types[i] == "sliding_attention";
    list.Add(slides ? window : full, with[i] ? experts : dense, 0);
  }
}

}  // namespace

const Family kStepFamily = {kTypes, Read};

}  // namespace tokensim
