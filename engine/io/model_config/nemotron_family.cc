// Nemotron-H: blocks of one part each, Mamba-2, attention, MLP or experts.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/io/model_config/families.h"

namespace tokensim {
namespace {

constexpr std::string_view kTypes[] = {"nemotron_h"};

v1::Attention MambaOf(ConfigReader& config) {
  v1::Attention a;
  a.set_kind("mamba2");
  v1::LinearState* state = a.mutable_state();
  state->set_num_heads(config.Need("mamba_num_heads"));
  state->set_num_key_heads(config.Need("n_groups"));
  state->set_key_dim(config.Need("ssm_state_size"));
  state->set_value_dim(config.Need("mamba_head_dim"));
  state->set_conv_kernel(config.Get("conv_kernel", 4));
  const std::string dtype = config.Text("mamba_ssm_cache_dtype");
  if (dtype == "bfloat16" || dtype == "float16") state->set_dtype(v1::DATA_TYPE_BF16);
  return a;
}

// One letter a block: M Mamba, * attention, - MLP, E experts.
std::string PatternOf(ConfigReader& config) {
  std::string pattern = config.Text("hybrid_override_pattern");
  if (pattern.empty()) {
    for (const std::string& type : config.Texts("layers_block_type", 1)) {
      pattern += type == "mamba" ? 'M' : type == "attention" ? '*' : type == "moe" ? 'E' : '-';
    }
  }
  const auto blocks = static_cast<int32_t>(std::min<size_t>(pattern.size(), 1'000));
  const int32_t layers = config.Get("num_hidden_layers", blocks);
  if (pattern.empty()) {
    config.Problem("hybrid_override_pattern (or layers_block_type) is missing");
  } else if (pattern.size() != static_cast<size_t>(layers)) {
    config.Problem(absl::StrCat("hybrid_override_pattern has ", pattern.size(), " blocks for ",
                                layers, " layers"));
    pattern.clear();
  }
  return pattern;
}

v1::Mlp RoutedOf(ConfigReader& config) {
  v1::Mlp experts = WithShared(
      ExpertsOf(config, config.Need("moe_intermediate_size")),
      config.Get("n_shared_experts", 1) * config.Get("moe_shared_expert_intermediate_size", 0));
  experts.set_gated(false);
  if (const int32_t latent = config.Get("moe_latent_size", 0); latent > 0) {
    experts.mutable_moe()->set_latent_size(latent);
  }
  return experts;
}

// Biases of the convolution and of steps, decays, skips, and the gated norm.
int64_t MambaVectors(const v1::LinearState& s) {
  const int64_t inner = int64_t{s.num_heads()} * s.value_dim();
  const int64_t channels = inner + 2 * int64_t{s.num_key_heads()} * s.key_dim();
  return channels + 3 * int64_t{s.num_heads()} + inner;
}

void Read(ConfigReader& config, v1::Model* model) {
  const std::string pattern = PatternOf(config);
  v1::Attention none;
  none.set_kind("none");
  v1::Mlp no_mlp;
  no_mlp.set_kind("none");
  LayerList list(model);
  for (const char block : pattern) {
    if (block == 'M') {
      const v1::Attention mamba = MambaOf(config);
      list.Add(mamba, no_mlp, MambaVectors(mamba.state()));
    } else if (block == '*') {
      list.Add(HeadsOf(config), no_mlp, 0);
    } else if (block == 'E') {
      const v1::Mlp experts = RoutedOf(config);
      list.Add(none, experts, experts.moe().num_experts());
    } else if (block == '-') {
      list.Add(none, DenseMlp(config.Need("intermediate_size"), false), 0);
    } else {
      config.Problem(absl::StrCat("hybrid_override_pattern has a block '", std::string(1, block),
                                  "', which is not understood"));
    }
  }
}

}  // namespace

const Family kNemotronFamily = {kTypes, Read};

}  // namespace tokensim
