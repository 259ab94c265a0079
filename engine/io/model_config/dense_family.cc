// Models whose layers are alike, or differ by a window: attention of heads and a dense MLP.
#include <algorithm>
#include <string>

#include "engine/io/model_config/families.h"

namespace tokensim {
namespace {

enum class Window { kNone, kEverywhere, kIfUsed };

struct Traits {
  std::string_view model_type;
  bool bias = false;         // of queries, keys and values, whatever the config says
  bool output_bias = true;   // attention_bias is of the output, too
  bool norms_heads = false;  // of queries and keys
  Window window = Window::kNone;
};
constexpr Traits kTraits[] = {
    {.model_type = "llama"},
    {.model_type = "yi"},
    {.model_type = "mistral", .window = Window::kEverywhere},
    {.model_type = "ministral3", .window = Window::kEverywhere},
    {.model_type = "phi3", .window = Window::kEverywhere},
    {.model_type = "mimo", .output_bias = false, .window = Window::kIfUsed},
    {.model_type = "qwen2", .bias = true, .output_bias = false, .window = Window::kIfUsed},
    {.model_type = "qwen3", .norms_heads = true, .window = Window::kIfUsed},
    {.model_type = "qwen3_vl_text", .norms_heads = true, .window = Window::kIfUsed},
};
constexpr std::string_view kTypes[] = {"llama", "yi",    "mistral", "ministral3",   "phi3",
                                       "mimo",  "qwen2", "qwen3",   "qwen3_vl_text"};

const Traits& TraitsOf(const std::string& model_type) {
  const auto* found = std::find_if(std::begin(kTraits), std::end(kTraits),
                                   [&](const Traits& t) { return t.model_type == model_type; });
  return found == std::end(kTraits) ? kTraits[0] : *found;
}

void Read(ConfigReader& config, v1::Model* model) {
  const Traits& traits = TraitsOf(config.model_type());
  const int32_t layers = LayersOf(config);
  const int32_t hidden = config.Need("hidden_size");
  const int32_t width = config.Need("intermediate_size");
  const v1::Attention full = HeadsOf(config);
  int64_t extra = 0;
  if (traits.bias || config.Flag("attention_bias", false)) {
    extra += AttentionBias(full, hidden, traits.output_bias);
  }
  if (config.Flag("mlp_bias", false)) extra += 2 * int64_t{width} + hidden;
  if (traits.norms_heads) extra += 2 * int64_t{full.head_dim()};

  const int32_t window = config.Get("sliding_window", 0);
  const bool used = traits.window == Window::kEverywhere ||
                    (traits.window == Window::kIfUsed && config.Flag("use_sliding_window", false));
  const int32_t first = traits.window == Window::kIfUsed ? config.Get("max_window_layers", 0) : 0;
  LayerList list(model);
  for (int32_t i = 0; i < layers; ++i) {
    v1::Attention attention = full;
    if (used && window > 0 && i >= first) attention.set_sliding_window(window);
    list.Add(attention, DenseMlp(width), extra);
  }
}

}  // namespace

const Family kDenseFamily = {kTypes, Read};

}  // namespace tokensim
