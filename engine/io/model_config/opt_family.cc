// OPT: learned positions, which are left out, and biases everywhere.
#include "engine/io/model_config/families.h"

namespace tokensim {
namespace {

constexpr std::string_view kTypes[] = {"opt"};

void Read(ConfigReader& config, v1::Model* model) {
  const int32_t layers = LayersOf(config);
  const int32_t hidden = config.Need("hidden_size");
  const int32_t width = config.Need("ffn_dim");
  if (config.Get("word_embed_proj_dim", hidden) != hidden) {
    config.Problem("word_embed_proj_dim differs from hidden_size, which is not understood");
  }
  const v1::Attention attention = HeadsOf(config);
  const int64_t norms = 2 * int64_t{hidden};
  const int64_t extra = AttentionBias(attention, hidden, true) + width + hidden + norms;
  model->set_tie_word_embeddings(config.Flag("tie_word_embeddings", true));
  LayerList list(model);
  for (int32_t i = 0; i < layers; ++i) list.Add(attention, DenseMlp(width, false), extra);
}

}  // namespace

const Family kOptFamily = {kTypes, Read};

}  // namespace tokensim
