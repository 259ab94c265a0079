// Gemma 2 to 4: windows in most layers, tied ends. In Gemma 4 the other layers have heads of their
// own, and a dense MLP runs beside the experts.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/io/model_config/families.h"

namespace tokensim {
namespace {

constexpr std::string_view kTypes[] = {"gemma2", "gemma3", "gemma3_text", "gemma4", "gemma4_text"};

// Whether each layer has a window.
std::vector<bool> Windows(ConfigReader& config, const std::string& type, int32_t layers) {
  std::vector<bool> windows(static_cast<size_t>(layers));
  const std::vector<std::string> types = config.Texts("layer_types", layers);
  const int32_t pattern =
      std::max(1, config.Get("sliding_window_pattern", type == "gemma2" ? 2 : 6));
  for (size_t i = 0; i < windows.size(); ++i) {
    windows[i] = types.empty() ? (static_cast<int32_t>(i) + 1) % pattern != 0
                               : types[i] == "sliding_attention";
  }
  return windows;
}

// Full attention of Gemma 4.
v1::Attention GlobalHeads(ConfigReader& config, const v1::Attention& local) {
  v1::Attention a = local;
  a.set_head_dim(std::max(1, config.Get("global_head_dim", local.head_dim())));
  const int32_t heads = config.Get("num_global_key_value_heads", local.num_kv_heads());
  a.set_num_kv_heads(std::max(1, heads));
  if (config.Flag("attention_k_eq_v", false)) a.set_values_are_keys(true);
  return a;
}

void RefuseUnknown(ConfigReader& config) {
  for (const char* field : {"hidden_size_per_layer_input", "num_kv_shared_layers"}) {
    if (config.Get(field, 0) > 0) {
      config.Problem(absl::StrCat(field, " is above 0, which is not understood"));
    }
  }
}

void Read(ConfigReader& config, v1::Model* model) {
  const std::string type = config.model_type();
  const bool fourth = type.starts_with("gemma4");
  const int32_t layers = LayersOf(config);
  const int64_t hidden = config.Need("hidden_size");
  const int32_t width = config.Need("intermediate_size");
  RefuseUnknown(config);
  v1::Attention local = HeadsOf(config);
  const v1::Attention full = fourth ? GlobalHeads(config, local) : local;
  local.set_sliding_window(config.Need("sliding_window"));
  v1::Mlp mlp = DenseMlp(width);
  int64_t extra = 2 * hidden;  // four norms
  if (config.Flag("enable_moe_block", false)) {
    mlp = WithShared(ExpertsOf(config, config.Need("moe_intermediate_size")), width);
    extra += 4 * hidden + mlp.moe().num_experts();
  }
  model->set_tie_word_embeddings(config.Flag("tie_word_embeddings", true));
  LayerList list(model);
  for (const bool window : Windows(config, type, layers)) {
    const v1::Attention& attention = window ? local : full;
    const int64_t norms = type == "gemma2" ? 0 : 2 * int64_t{attention.head_dim()};
    list.Add(attention, mlp, extra + norms);
  }
}

}  // namespace

const Family kGemmaFamily = {kTypes, Read};

}  // namespace tokensim
