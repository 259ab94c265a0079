// Models pruned by search (DeciLM, Nemotron Super 49B): every block has its own heads and width, or
// has none.
#include <algorithm>
#include <cmath>
#include <string>

#include "engine/io/model_config/families.h"

namespace tokensim {
namespace {

using nlohmann::json;

constexpr std::string_view kTypes[] = {"nemotron-nas"};

bool True(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

double NumberOr(const json& object, const char* name, double otherwise) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : otherwise;
}

v1::Attention AttentionOf(const json& block, const v1::Attention& heads, ConfigReader& config) {
  v1::Attention a;
  const auto part = block.find("attention");
  if (part == block.end() || !part->is_object()) {
    config.Problem("a block of block_configs has no attention");
  } else if (True(*part, "replace_with_linear")) {
    config.Problem("replace_with_linear of block_configs is not understood");
  } else if (!True(*part, "no_op")) {
    const double group = NumberOr(*part, "n_heads_in_group", 1);
    a = heads;
    if (group >= 1 && group <= heads.num_attention_heads()) {
      a.set_num_kv_heads(heads.num_attention_heads() / static_cast<int32_t>(group));
    }
    return a;
  }
  a.set_kind("none");
  return a;
}

v1::Mlp MlpOf(const json& block, int32_t hidden, ConfigReader& config) {
  v1::Mlp mlp;
  const auto part = block.find("ffn");
  if (part == block.end() || !part->is_object()) {
    config.Problem("a block of block_configs has no ffn");
  } else if (True(*part, "replace_with_linear")) {
    config.Problem("replace_with_linear of block_configs is not understood");
  } else if (!True(*part, "no_op")) {
    const double multiple = std::clamp(NumberOr(*part, "ffn_mult", 0), 0.0, 100.0);
    constexpr double kRound = 256;
    const double width = std::ceil(std::floor(2 * multiple * hidden / 3) / kRound) * kRound;
    if (width >= 1) return DenseMlp(static_cast<int32_t>(std::min(width, 1e9)));
    config.Problem("a block of block_configs has no ffn_mult");
  }
  mlp.set_kind("none");
  return mlp;
}

void Read(ConfigReader& config, v1::Model* model) {
  const int32_t layers = LayersOf(config);
  const int32_t hidden = config.Need("hidden_size");
  const v1::Attention heads = HeadsOf(config);
  const json* blocks = config.Array("block_configs");
  if (blocks == nullptr || blocks->size() != static_cast<size_t>(layers)) {
    config.Problem("block_configs is missing, or has not one entry for each layer");
    return;
  }
  LayerList list(model);
  for (const json& block : *blocks) {
    if (!block.is_object()) {
      config.Problem("a block of block_configs is no object");
      return;
    }
    const v1::Attention attention = AttentionOf(block, heads, config);
    const v1::Mlp mlp = MlpOf(block, hidden, config);
    if (attention.kind() == "none" && mlp.kind() == "none") continue;  // nothing is left of it
    list.Add(attention, mlp, 0);
  }
}

}  // namespace

const Family kNemotronNasFamily = {kTypes, Read};

}  // namespace tokensim
