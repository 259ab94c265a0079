// The families of architectures that are understood, each in a file of its own, and what they have
// in common. Internal to engine/io/model_config.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/model_config/config_reader.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Puts layers into groups of those that are alike, in the order of their first.
class LayerList {
 public:
  explicit LayerList(v1::Model* model) : model_(model) {}

  void Add(const v1::Attention& attention, const v1::Mlp& mlp, int64_t extra_parameters);
  [[nodiscard]] int32_t size() const { return size_; }  // layers

 private:
  v1::Model* model_;
  int32_t size_ = 0;
};

// Fills in layers, mtp_layers and, when it is not false by default, tie_word_embeddings. The rest is
// common to all (model_config.cc). Problems are the reader's.
using FamilyReader = void (*)(ConfigReader& config, v1::Model* model);

struct Family {
  std::span<const std::string_view> model_types;  // of the text part
  FamilyReader read;
};
extern const Family kDenseFamily;       // llama and its like
extern const Family kExpertsFamily;     // mixtures with attention of heads
extern const Family kDeepSeekFamily;    // latent attention
extern const Family kDeepSeekV4Family;  // compressed attention
extern const Family kGemmaFamily;
extern const Family kGptOssFamily;
extern const Family kKimiLinearFamily;
extern const Family kLlama4Family;
extern const Family kMiniMaxFamily;
extern const Family kMimoV2Family;
extern const Family kNemotronFamily;
extern const Family kNemotronNasFamily;
extern const Family kOptFamily;
extern const Family kQwenHybridFamily;  // gated delta nets
extern const Family kStepFamily;
[[nodiscard]] std::span<const Family* const> Families();

// How many layers, at most 1,000.
[[nodiscard]] int32_t LayersOf(ConfigReader& config);
// Heads of the config, all of them equal: num_attention_heads, num_key_value_heads, head_dim.
[[nodiscard]] v1::Attention HeadsOf(ConfigReader& config);
// Parameters of biases of queries, keys and values, and of the output when `output` is true.
[[nodiscard]] int64_t AttentionBias(const v1::Attention& attention, int32_t hidden, bool output);
// A dense MLP.
[[nodiscard]] v1::Mlp DenseMlp(int32_t width, bool gated = true);
// num_experts and its synonyms, top-k, width of an expert.
[[nodiscard]] v1::Mlp ExpertsOf(ConfigReader& config, int32_t width);
[[nodiscard]] v1::Mlp WithShared(v1::Mlp experts, int32_t width);
// Whether a layer has experts: the first `first_k_dense_replace` have none, moe_layer_freq is a
// step or a list, mlp_layer_types a list of "sparse", mlp_only_layers a list of layers that have
// none, decoder_sparse_step a step.
[[nodiscard]] std::vector<bool> LayersWithExperts(ConfigReader& config, int32_t layers);

}  // namespace tokensim
