// Llama 4: attention within chunks but for every fourth layer, experts in every or every second one.
#include <string>

#include "engine/io/model_config/families.h"

namespace tokensim {
namespace {

constexpr std::string_view kTypes[] = {"llama4", "llama4_text"};
constexpr int32_t kGlobalEvery = 4;  // layers without position are global

void Read(ConfigReader& config, v1::Model* model) {
  const int32_t layers = LayersOf(config);
  const v1::Attention full = HeadsOf(config);
  v1::Attention chunk = full;
  chunk.set_chunk(config.Need("attention_chunk_size"));
  const int32_t width = config.Need("intermediate_size");
  const v1::Mlp experts = WithShared(ExpertsOf(config, width), width);
  const v1::Mlp dense = DenseMlp(config.Get("intermediate_size_mlp", width));
  const std::vector<bool> with = LayersWithExperts(config, layers);
  const std::vector<int32_t> rope = config.Numbers("no_rope_layers");  // 0: without
  LayerList list(model);
  for (size_t i = 0; i < with.size(); ++i) {
    const bool global =
        i < rope.size() ? rope[i] == 0 : (static_cast<int32_t>(i) + 1) % kGlobalEvery == 0;
    list.Add(global ? full : chunk, with[i] ? experts : dense, 0);
  }
}

}  // namespace

const Family kLlama4Family = {kTypes, Read};

}  // namespace tokensim
