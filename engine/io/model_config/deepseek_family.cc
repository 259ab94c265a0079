// Multi-head latent attention: DeepSeek V2 to V3.2, Kimi K2, GLM-5. V3.2 and GLM-5 have an index.
#include <algorithm>
#include <string>

#include "engine/io/model_config/latent.h"

namespace tokensim {

v1::Attention LatentOf(ConfigReader& config) {
  v1::Attention a;
  a.set_kind("latent");
  a.set_num_attention_heads(config.Need("num_attention_heads"));
  a.set_head_dim(config.Need("qk_nope_head_dim"));
  a.set_value_head_dim(config.Need("v_head_dim"));
  a.set_kv_rank(config.Need("kv_lora_rank"));
  a.set_rope_dim(config.Get("qk_rope_head_dim", 0));
  if (const int32_t rank = config.Get("q_lora_rank", 0); rank > 0) a.set_query_rank(rank);
  return a;
}

v1::SparseIndex IndexOf(ConfigReader& config) {
  v1::SparseIndex index;
  index.set_top_k(config.Need("index_topk"));
  index.set_num_heads(config.Need("index_n_heads"));
  index.set_head_dim(config.Need("index_head_dim"));
  return index;
}

int64_t LatentNorms(const v1::Attention& a) { return int64_t{a.query_rank()} + a.kv_rank(); }

namespace {

constexpr std::string_view kTypes[] = {"deepseek_v2", "deepseek_v3", "deepseek_v32", "kimi_k2",
                                       "glm_moe_dsa"};

void Read(ConfigReader& config, v1::Model* model) {
  const std::string type = config.model_type();
  const int32_t layers = LayersOf(config);
  const int32_t width = config.Need("moe_intermediate_size");
  const v1::Mlp experts =
      WithShared(ExpertsOf(config, width), config.Get("n_shared_experts", 0) * width);
  const v1::Mlp dense = DenseMlp(config.Need("intermediate_size"));
  v1::Attention attention = LatentOf(config);
  int64_t extra = LatentNorms(attention);
  const bool sparse = type == "deepseek_v32" || type == "glm_moe_dsa";
  v1::Attention sharing = attention;
  if (sparse) {
    *attention.mutable_index() = IndexOf(config);
    sharing.mutable_index()->set_top_k(config.Need("index_topk"));
    sharing.mutable_index()->set_shared(true);
    extra += 2 * int64_t{attention.index().head_dim()};
  }
  const std::vector<bool> with = LayersWithExperts(config, layers);
  const std::vector<std::string> indexers = config.Texts("indexer_types", layers);
  const int64_t bias = type == "deepseek_v2" ? 0 : experts.moe().num_experts();  // of routing
  LayerList list(model);
  for (size_t i = 0; i < with.size(); ++i) {
    const bool shares = sparse && i < indexers.size() && indexers[i] == "shared";
    list.Add(shares ? sharing : attention, with[i] ? experts : dense, extra + (with[i] ? bias : 0));
  }
}

}  // namespace

const Family kDeepSeekFamily = {kTypes, Read};

}  // namespace tokensim
