// MiniMax M2 and M3. M3 attends to blocks that an index picks, in all but the first layers.
#include <algorithm>
#include <string>

#include "engine/io/model_config/families.h"

namespace tokensim {
namespace {

constexpr std::string_view kTypes[] = {"minimax_m2", "minimax_m3"};

// Tokens in the blocks that are picked.
v1::SparseIndex BlocksOf(const nlohmann::json& section, ConfigReader& config) {
  ConfigReader sparse(section);
  v1::SparseIndex index;
  const int64_t tokens =
      int64_t{sparse.Need("sparse_topk_blocks")} * sparse.Need("sparse_block_size");
  index.set_top_k(static_cast<int32_t>(std::min<int64_t>(tokens, 1'000'000)));
  index.set_num_heads(sparse.Need("sparse_num_index_heads"));
  index.set_head_dim(sparse.Need("sparse_index_dim"));
  if (!sparse.status().ok()) {
    config.Problem("sparse_attention_config: " + std::string(sparse.status().message()));
  }
  return index;
}

void Read(ConfigReader& config, v1::Model* model) {
  const int32_t layers = LayersOf(config);
  const v1::Attention full = HeadsOf(config);
  v1::Attention sparse = full;
  std::vector<int32_t> picks;  // by layer
  if (const nlohmann::json* section = config.Object("sparse_attention_config")) {
    *sparse.mutable_index() = BlocksOf(*section, config);
    picks = ConfigReader(*section).Numbers("sparse_attention_freq");
  }
  const int32_t width = config.Need("intermediate_size");
  const v1::Mlp experts =
      WithShared(ExpertsOf(config, width),
                 config.Get("n_shared_experts", 0) * config.Get("shared_intermediate_size", width));
  const v1::Mlp dense = DenseMlp(config.Get("dense_intermediate_size", width));
  int64_t extra = 0;
  if (config.Flag("use_qk_norm", false)) {
    const int64_t heads = int64_t{full.num_attention_heads()} + full.num_kv_heads();
    extra += config.Text("qk_norm_type") == "per_layer" ? heads * full.head_dim()
                                                        : 2 * int64_t{full.head_dim()};
  }
  const std::vector<bool> with = LayersWithExperts(config, layers);
  LayerList list(model);
  for (size_t i = 0; i < with.size(); ++i) {
    const bool is_sparse = i < picks.size() && picks[i] != 0;
    list.Add(is_sparse ? sparse : full, with[i] ? experts : dense,
             extra + (with[i] ? experts.moe().num_experts() : 0));
  }
}

}  // namespace

const Family kMiniMaxFamily = {kTypes, Read};

}  // namespace tokensim
